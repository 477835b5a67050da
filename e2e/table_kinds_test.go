//go:build e2e && linux

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	grpctest "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/sdk"
)

// kind is one way to reach a service.
type kind struct {
	name     string
	upstream []string // flags of the instances
	config   []string // lines of the service in lift.yaml
	// ask makes one call that the instance sleeps on, and returns the instance's
	// name. The context says whether it is idempotent.
	ask func(ctx context.Context, c *sdk.Client, service string, sleep time.Duration) (string, error)
	// from are the lines of a service that say where its only instance is; nil:
	// there are two, with from: static. A relay is always before an only one.
	from func(addr string) []string
	// streams: answers are handed on before they have ended.
	streams bool
}

// instances are the names of the instances.
func (k kind) instances() []string {
	if k.from != nil {
		return []string{"A"}
	}
	return []string{"A", "B"}
}

// source are the lines of a service that say where its instances are.
func (k kind) source(addrs []string) []string {
	if k.from != nil {
		return k.from(addrs[0])
	}
	return []string{"from: static", "endpoints: " + endpoints(addrs...)}
}

func kinds(t *testing.T) []kind {
	t.Helper()
	const name = "orders.internal"
	authority := certtest.New(t, "authority")
	server, client := authority.Issue(nil, name, "127.0.0.1"), authority.Issue(nil, "client")
	speaks := func(protocols string, more ...string) []string {
		return append([]string{"-protocols", protocols, "-streams", "4"}, more...)
	}
	overTLS := func(protocols string, more ...string) []string {
		return speaks(protocols, append([]string{"-cert", server.CertFile, "-key", server.KeyFile}, more...)...)
	}
	trusts := fmt.Sprintf("tls: {ca: %s, server_name: %s}", authority.File, name)
	shows := fmt.Sprintf("tls: {ca: %s, server_name: %s, cert: %s, key: %s}", authority.File, name, client.CertFile, client.KeyFile)
	return []kind{
		{name: "http", ask: askHTTP(1)},
		{name: "https", upstream: overTLS("http1"), config: []string{trusts}, ask: askHTTP(1)},
		{name: "mtls", upstream: overTLS("http1", "-client-ca", authority.File), config: []string{shows}, ask: askHTTP(1)},
		{name: "h2c", upstream: speaks("h2c"), config: []string{"protocol: h2c"}, ask: askHTTP(2)},
		{name: "h2", upstream: overTLS("h2"), config: []string{"protocol: h2", trusts}, ask: askHTTP(2)},
		{name: "auto", upstream: overTLS("http1,h2"), config: []string{"protocol: auto", trusts}, ask: askHTTP(2)},
		{name: "url", upstream: overTLS("http1,h2"), config: []string{fmt.Sprintf("tls: {ca: %s}", authority.File)}, ask: askHTTP(2), from: func(addr string) []string {
			return []string{"from: url", fmt.Sprintf("url: https://%s/shop", addr)}
		}},
		// The instance stands for the Invoke API, whose answers it gives.
		{name: "lambda", ask: askHTTP(1), from: func(addr string) []string {
			return []string{"from: lambda", "function: orders", fmt.Sprintf("lambda: {endpoint: \"http://%s\"}", addr)}
		}},
		{name: "grpc", upstream: speaks("grpc"), config: []string{"protocol: grpc"}, ask: askRPC},
		{name: "grpc-tls", upstream: overTLS("grpc"), config: []string{"protocol: grpc", trusts}, ask: askRPC},
		{name: "grpc-stream", upstream: speaks("grpc"), config: []string{"protocol: grpc"}, ask: askStream, streams: true},
	}
}

// askHTTP makes HTTP calls and wants them to come in this major version.
func askHTTP(version int) func(context.Context, *sdk.Client, string, time.Duration) (string, error) {
	return func(ctx context.Context, c *sdk.Client, service string, sleep time.Duration) (string, error) {
		got, err := sdk.JSON[struct{ Instance, Protocol string }](ctx, c, http.MethodPost, service, fmt.Sprintf("/?sleep=%s", sleep), struct{}{})
		if want := fmt.Sprintf("HTTP/%d.", version); err == nil && !strings.HasPrefix(got.Protocol, want) {
			err = fmt.Errorf("the instance was spoken to by %s", got.Protocol)
		}
		return got.Instance, err
	}
}

func askRPC(ctx context.Context, c *sdk.Client, service string, sleep time.Duration) (string, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "sleep", sleep.String())
	got, err := grpctest.NewTestServiceClient(c.Conn(service)).UnaryCall(ctx, &grpctest.SimpleRequest{})
	return got.GetServerId(), err
}

func askStream(ctx context.Context, c *sdk.Client, service string, sleep time.Duration) (name string, err error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "sleep", sleep.String())
	three := make([]*grpctest.ResponseParameters, 3)
	for i := range three {
		three[i] = &grpctest.ResponseParameters{}
	}
	stream, err := grpctest.NewTestServiceClient(c.Conn(service)).StreamingOutputCall(ctx, &grpctest.StreamingOutputCallRequest{ResponseParameters: three})
	if err != nil {
		return "", err
	}
	for n := 0; ; n++ {
		got, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && n == len(three):
			return name, nil
		case errors.Is(err, io.EOF):
			return name, fmt.Errorf("the stream ended well after %d of %d messages", n, len(three))
		case err != nil:
			return "", err
		}
		name = string(got.GetPayload().GetBody())
	}
}

package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Ask asks the sidecar that listens at an address (the path of a unix socket, with or
// without unix: before it, or a host and a port) whether it serves. One that drains,
// or has its limit of peers, answers and does not serve. The error says why there was
// no answer by the end of ctx.
func Ask(ctx context.Context, at string) (serving bool, err error) {
	err = ask(ctx, at, func(conn *grpc.ClientConn) error {
		resp, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		serving = resp.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
		return err
	})
	if _, ok := errors.AsType[*lift.Error](err); ok { // a refusal in Lift's own words
		return false, nil
	}
	return serving, err
}

// AskStatus asks the sidecar that listens at an address for its status. The error
// says why there was no answer by the end of ctx.
func AskStatus(ctx context.Context, at string) (out *liftv1.StatusResponse, err error) {
	err = ask(ctx, at, func(conn *grpc.ClientConn) (err error) {
		out, err = liftv1.NewLiftClient(conn).Status(ctx, &liftv1.StatusRequest{})
		return err
	})
	return out, err
}

// ask puts one question, over a connection of its own.
func ask(ctx context.Context, at string, question func(*grpc.ClientConn) error) error {
	network, addr, err := wire.Address(at)
	if err != nil {
		return err
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return fmt.Errorf("no sidecar answers at %s: %w; is lift-extension running, and does it listen there?", at, err)
	}
	defer func() { _ = raw.Close() }()
	conn, err := grpc.NewClient("passthrough:///lift",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return raw, nil }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy())
	if err != nil {
		return err
	}
	defer conn.Close()
	err = question(conn)
	if e := wire.FromStatus(err, lift.Now()); e != nil {
		return e
	}
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.DeadlineExceeded:
		return fmt.Errorf("the program that listens at %s does not answer in time: %w", at, context.DeadlineExceeded)
	case codes.Unimplemented:
		return fmt.Errorf("the sidecar at %s does not know this question; update lift-extension: %w", at, err)
	}
	return fmt.Errorf("the program that listens at %s is not a working Lift sidecar: %w", at, err)
}

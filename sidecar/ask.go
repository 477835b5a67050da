package sidecar

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
)

// Ask asks the sidecar that listens at an address (the path of a unix socket, with or
// without unix: before it, or a host and a port) whether it serves. One that drains, or has its limit
// of peers, answers and does not serve. The error says why there was no answer by
// the end of ctx.
func Ask(ctx context.Context, at string) (serving bool, err error) {
	network, addr, err := wire.Address(at)
	if err != nil {
		return false, err
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return false, fmt.Errorf("nobody answers at %s: %w; is lift-extension up, and does it listen there?", at, err)
	}
	defer func() { _ = raw.Close() }()
	conn, err := grpc.NewClient("passthrough:///lift",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return raw, nil }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy())
	if err != nil {
		return false, err
	}
	defer conn.Close()
	resp, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	switch {
	case wire.FromStatus(err, lift.Now()) != nil: // a refusal in Lift's own words
		return false, nil
	case status.Code(err) == codes.DeadlineExceeded:
		return false, fmt.Errorf("what listens at %s does not answer in time: %w", at, context.DeadlineExceeded)
	case err != nil:
		return false, fmt.Errorf("what listens at %s is no Lift sidecar that is well: %w", at, err)
	}
	return resp.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING, nil
}

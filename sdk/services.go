package sdk

import (
	"context"
	"errors"

	"github.com/liftmesh/lift"
)

// Services returns what the mesh knows of the services of these names, of all
// without names, sorted: who serves them, how old that knowledge is, which
// endpoints are out and why. A sidecar that does not answer is waited for until
// ctx's deadline, 5 s without one.
//
// Its errors are [*lift.Error]: [lift.UnknownService] for a name that is not
// configured.
func (c *Client) Services(ctx context.Context, names ...string) ([]lift.ServiceStatus, error) {
	if err := c.fault(ctx); err != nil {
		return nil, err
	}
	teller, ok := c.caller.(lift.Teller)
	if !ok {
		return nil, &lift.Error{Code: lift.Misconfigured, Err: errors.New("this client's caller does not know the services; use sdk.Dial, or sdk.New over a mesh")}
	}
	return teller.Services(ctx, names...)
}

package sdk

import (
	"context"
	"errors"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
)

// Register has the sidecar announce i in the registry that it is set up for, so
// that others find it. It returns once the registry has taken it. The sidecar
// keeps it announced; one that comes anew is told again, in the background. It is
// taken back by [Client.Deregister], when the sidecar drains, and 10 s after the
// client was closed or the program has gone.
//
// Its errors are [*lift.Error]: [lift.InvalidCall] for an instance that is not
// valid, [lift.Misconfigured] where there is no registry to announce in.
func (c *Client) Register(ctx context.Context, i registry.Instance) error {
	r, err := c.registrar(ctx)
	if err != nil {
		return err
	}
	return r.Register(ctx, i)
}

// Deregister takes back what was registered under id; what is not there is no
// error. Its errors are [*lift.Error].
func (c *Client) Deregister(ctx context.Context, id string) error {
	r, err := c.registrar(ctx)
	if err != nil {
		return err
	}
	return r.Deregister(ctx, id)
}

func (c *Client) registrar(ctx context.Context) (registry.Registrar, error) {
	if err := c.fault(ctx); err != nil {
		return nil, err
	}
	r, ok := c.caller.(registry.Registrar)
	if !ok {
		return nil, &lift.Error{Code: lift.Misconfigured, Err: errors.New("this client cannot announce instances: it was made by sdk.New over a caller without a registry; use sdk.Dial, or in process the registry's own Registrar")}
	}
	return r, nil
}

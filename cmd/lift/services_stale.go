package main

import (
	"context"
	"time"

	"github.com/liftmesh/lift/sidecar"
)

// staleWithin is how long the question about reloads may take, which is beside the
// point of the command that asks it.
const staleWithin = time.Second

// refusedReload says on one line that the last reload was refused, so that what the
// sidecar tells is of the configuration before it. It is "" if there was none, and
// if the sidecar cannot be asked.
func refusedReload(ctx context.Context, socket string) string {
	ctx, cancel := context.WithTimeout(ctx, staleWithin)
	defer cancel()
	return clean(sidecar.RefusedReload(ctx, socket))
}

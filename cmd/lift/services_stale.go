package main

import (
	"context"
	"strings"
	"time"

	"github.com/liftmesh/lift/internal/wire"
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
	st, err := sidecar.AskStatus(ctx, socket)
	last := st.GetLastReload()
	if err != nil || last.GetRefused() == "" {
		return ""
	}
	first, _, more := strings.Cut(last.GetRefused(), "\n")
	if more {
		first += " (and more, see lift status)"
	}
	at := wire.Time(last.GetAtUnixNanos()).UTC().Format(time.RFC3339)
	return clean("the reload at " + at + " was refused, and the configuration before it is in force: " + first)
}

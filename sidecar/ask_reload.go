package sidecar

import (
	"context"
	"strings"
	"time"

	"github.com/liftmesh/lift/internal/wire"
)

// RefusedReload asks the sidecar at an address whether its last reload was refused,
// and says so on one line. It returns "" if there was none, and if the sidecar cannot
// be asked.
func RefusedReload(ctx context.Context, at string) string {
	st, err := AskStatus(ctx, at)
	last := st.GetLastReload()
	if err != nil || last.GetRefused() == "" {
		return ""
	}
	first, _, more := strings.Cut(last.GetRefused(), "\n")
	if more {
		first += " (and more, see lift status)"
	}
	when := wire.Time(last.GetAtUnixNanos()).UTC().Format(time.RFC3339)
	return "the reload at " + when + " was refused, and the configuration before it is in force: " + first
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/internal/wire"
	"github.com/liftmesh/lift/sidecar"
)

// askFor is how long a sidecar may take to say how it is: below the second that
// Kubernetes gives a probe.
const askFor = 900 * time.Millisecond

// healthCommand asks a sidecar how it is, and says it in a line.
func healthCommand(args []string, lookup config.Lookup, out, problems io.Writer) int {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	flags.SetOutput(problems)
	live := flags.Bool("live", false, "content if it answers at all, also while it drains")
	at := flags.String("socket", "", "where it listens: a path, or 127.0.0.1:4141; default what $LIFT_SOCKET or lift.yaml say")
	timeout := flags.Duration("timeout", askFor, "how long it may take")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(problems, "lift-extension health: %q is too much; it takes flags only\n", flags.Arg(0))
		return 2
	}
	if *at == "" {
		*at = socketAt(lookup)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	serving, err := sidecar.Ask(ctx, *at)
	switch {
	case err != nil:
		_, _ = fmt.Fprintln(problems, "lift-extension health:", err)
		return 1
	case serving:
		_, _ = fmt.Fprintln(out, "serving"+refusal(ctx, *at))
		return 0
	case *live:
		_, _ = fmt.Fprintln(out, "alive, not serving")
		return 0
	default:
		_, _ = fmt.Fprintln(problems, "lift-extension health: not serving: it drains, or has its limit of peers")
		return 1
	}
}

// refusal tells of a last reload that was refused, which does no harm to health. A
// status that cannot be had does none either.
func refusal(ctx context.Context, at string) string {
	st, err := sidecar.AskStatus(ctx, at)
	last := st.GetLastReload()
	if err != nil || last.GetRefused() == "" {
		return ""
	}
	first, _, more := strings.Cut(last.GetRefused(), "\n")
	if more {
		first += " (and more, see lift status)"
	}
	when := wire.Time(last.GetAtUnixNanos()).UTC().Format(time.RFC3339)
	return "; the reload at " + when + " was refused, and the configuration before it is in force: " + first
}

// socketAt is where a sidecar with this environment and lift.yaml listens, as far
// as they can be read.
func socketAt(lookup config.Lookup) string {
	if at, _ := lookup("LIFT_SOCKET"); at != "" { // may be an address, as for sdk.Dial, which is no `socket:`
		return at
	}
	path, err := config.Find(lookup)
	if err != nil {
		cfg, _ := config.Missing(err, lookup)
		return cfg.Socket
	}
	cfg, _ := config.Load(path, lookup)
	return cfg.Socket
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sidecar"
)

// askFor is how long a sidecar may take to answer: less than the second that
// Kubernetes gives a probe.
const askFor = 900 * time.Millisecond

// healthCommand asks a sidecar whether it serves, and prints one line.
func healthCommand(args []string, lookup config.Lookup, out, problems io.Writer) int {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	flags.SetOutput(problems)
	live := flags.Bool("live", false, "exit with 0 if it answers at all, also while it drains")
	at := flags.String("socket", "", "where it listens, a path or 127.0.0.1:4141 (default $LIFT_SOCKET, else lift.yaml)")
	timeout := flags.Duration("timeout", askFor, "how long the answer may take")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(problems, "lift-extension health: unexpected argument %q; want flags only\n", flags.Arg(0))
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
		_, _ = fmt.Fprintln(problems, "lift-extension health: not serving: it is shutting down, or has reached limits.peers")
		return 1
	}
}

// refusal returns a note if the last reload was refused. Neither that nor a status
// that cannot be had makes a sidecar unhealthy.
func refusal(ctx context.Context, at string) string {
	if said := sidecar.RefusedReload(ctx, at); said != "" {
		return "; " + said
	}
	return ""
}

// socketAt returns where a sidecar with this environment and lift.yaml listens, as
// far as they can be read.
func socketAt(lookup config.Lookup) string {
	if at, _ := lookup("LIFT_SOCKET"); at != "" { // it may be an address, as for sdk.Dial, which `socket:` may not
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

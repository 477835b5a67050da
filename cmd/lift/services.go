package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
)

// servicesFlags are the flags of `lift services`.
type servicesFlags struct {
	socket string
	json   bool
	watch  time.Duration
}

// watchEvery is how often --watch looks unless it is told. Changes that last
// shorter than that are in the log.
const watchEvery = time.Second

func servicesCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &servicesFlags{}
	c := &cobra.Command{
		Use:   "services [SERVICE...]",
		Short: "Show who serves what, and which endpoints are out and why",
		Long: `Show what the sidecar on this machine knows of its services, or of those that
you name: their endpoints, how old that knowledge is, and the state of each.

  healthy   calls go to the endpoint
  out       it failed; it gets no calls until its next probe
  probing   its probe is under way

With --watch it looks again each second (--watch=5s: each five seconds) until
Ctrl-C. On a terminal it redraws the picture, with rates below its header;
elsewhere it writes a line for each change, and with --json one array a look.
In JSON the states have the breaker's names: closed, open, half_open.

The sidecar's socket is --socket, else $LIFT_SOCKET, else what lift.yaml says.`,
		Example: "  lift services\n  lift services orders --watch",
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, s, lookup)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.socket, "socket", "", "`path` of the sidecar's socket")
	flags.BoolVar(&f.json, "json", false, "write JSON")
	flags.DurationVar(&f.watch, "watch", 0, "look again at this `interval`, each second if none is given")
	flags.Lookup("watch").NoOptDefVal = watchEvery.String()
	return c
}

func (f *servicesFlags) run(ctx context.Context, names []string, s streams, lookup config.Lookup) error {
	socket := socketPath(f.socket, lookup)
	sidecar, hangUp, err := dial(socket)
	if err != nil {
		return err
	}
	defer hangUp()
	look := func(ctx context.Context) ([]lift.ServiceStatus, error) { return sidecar.Services(ctx, names...) }
	if f.watch > 0 {
		return watch(ctx, f.watch, look, f.shower(s, func() string { return refusedReload(ctx, socket) }))
	}
	all, err := look(ctx)
	if err != nil {
		return err
	}
	stale := refusedReload(ctx, socket)
	if f.json {
		if stale != "" {
			_, _ = fmt.Fprintln(s.err, "lift: "+stale)
		}
		return encode(s.out, servicesJSON(all))
	}
	if stale != "" {
		if _, err := io.WriteString(s.out, fold(stale, 2)+"\n"); err != nil {
			return err
		}
	}
	return writeServices(s.out, all, nil, terminalOf(s.out).paint)
}

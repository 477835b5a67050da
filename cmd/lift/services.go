package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
)

// servicesFlags are what `lift services` can be told.
type servicesFlags struct {
	socket string
	json   bool
	watch  time.Duration
}

// watchEvery is how often --watch looks if it is not told: a state that lasts
// shorter than that is for the log.
const watchEvery = time.Second

func servicesCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &servicesFlags{}
	c := &cobra.Command{
		Use:   "services [SERVICE...]",
		Short: "Say who serves what, and which endpoints are out and why",
		Long: `Say what the sidecar that runs here knows of its services, or of those that are
named: who serves them, how old that knowledge is, and the state of each
endpoint. Calls go to a closed endpoint; an open one is left alone until its
next probe; a half-open one has its probe out.

With --watch it looks again each second (--watch=5s: each five seconds) until it
is interrupted. On a terminal it draws the same picture anew; elsewhere it
writes a line for each change, and with --json one array a look.

The sidecar's socket is --socket, else $LIFT_SOCKET, else what lift.yaml says.`,
		Example: "  lift services\n  lift services orders --watch",
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, s, lookup)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.socket, "socket", "", "path of the sidecar's socket")
	flags.BoolVar(&f.json, "json", false, "write JSON")
	flags.DurationVar(&f.watch, "watch", 0, "look again and again, each second if no time is given")
	flags.Lookup("watch").NoOptDefVal = watchEvery.String()
	return c
}

func (f *servicesFlags) run(ctx context.Context, names []string, s streams, lookup config.Lookup) error {
	sidecar, hangUp, err := dial(socketPath(f.socket, lookup))
	if err != nil {
		return err
	}
	defer hangUp()
	look := func(ctx context.Context) ([]lift.ServiceStatus, error) { return sidecar.Services(ctx, names...) }
	if f.watch > 0 {
		return watch(ctx, f.watch, look, f.shower(s))
	}
	all, err := look(ctx)
	switch {
	case err != nil:
		return err
	case f.json:
		return encode(s.out, servicesJSON(all))
	}
	return writeServices(s.out, all, terminalOf(s.out).paint)
}

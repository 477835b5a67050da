package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sidecar"
)

// statusFlags are the flags of `lift status`.
type statusFlags struct {
	socket  string
	json    bool
	timeout time.Duration
}

func statusCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &statusFlags{}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the sidecar itself is: version, doors, peers, last reload",
		Long: `Show how the sidecar on this machine is: its version and uptime, where it
listens, which programs are connected and by which SDK, whether its last reload
was refused and why, how old the registries' answers are, and when certificates
expire.

The exit code is 0 if all is well, and 3 if something needs attention: the
sidecar is shutting down, its configuration is broken, its last reload was
refused, an address cannot be opened, a registry does not answer, or a
certificate has expired or will within 7 days. It is 1 if no sidecar answers.

The sidecar's socket is --socket, else $LIFT_SOCKET, else what lift.yaml says.`,
		Example: "  lift status\n  lift status --json | jq .last_reload",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), s, lookup)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.socket, "socket", "", "`path` of the sidecar's socket")
	flags.BoolVar(&f.json, "json", false, "write JSON")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long the sidecar may take to answer")
	return c
}

func (f *statusFlags) run(ctx context.Context, s streams, lookup config.Lookup) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	got, err := sidecar.AskStatus(ctx, socketPath(f.socket, lookup))
	if err != nil {
		return err
	}
	st := statusOf(got)
	if f.json {
		err = encode(s.out, st)
	} else {
		err = writeStatus(s.out, st, terminalOf(s.out).paint)
	}
	if err == nil && len(st.Problems) > 0 {
		err = codeError{code: exitRefused} // what is wrong has been shown
	}
	return err
}

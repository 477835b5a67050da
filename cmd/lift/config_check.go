package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func configCheckCommand(s streams, lookup config.Lookup) *cobra.Command {
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell every problem of a configuration",
		Long: `Tell every problem of a configuration at once, one line each:

    file:line:column: key: what is wrong; what would be right

Exits with 1 if there is one. Without FILE it checks what Lift would find:
$LIFT_CONFIG, /var/task/lift.yaml, /opt/lift/lift.yaml, ./lift.yaml.`,
		Args: cobra.MaximumNArgs(1),
	}
	environment := environmentFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		cfg, problems := load(args, *environment, lookup)
		for _, w := range cfg.Warnings {
			_, _ = fmt.Fprintln(s.err, w.Error())
		}
		if len(problems) > 0 {
			_, _ = fmt.Fprintln(s.err, problems.Error())
			return errTold
		}
		_, err := fmt.Fprintf(s.out, "ok: %s\n", count(len(cfg.Services), "service"))
		return err
	}
	return c
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

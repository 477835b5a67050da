package main

import (
	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func configPrintCommand(s streams, lookup config.Lookup) *cobra.Command {
	c := &cobra.Command{
		Use:   "print [FILE]",
		Short: "Show the values that Lift uses, each with where it comes from",
		Long: `Show the values that Lift uses, as YAML. A comment says where each value comes
from: a default, a line of the file, an environment, a variable. Values from a
variable that is named like a secret are shown as ***.

If something is broken, the rest is printed all the same; the problems go to
standard error then, and the exit code is 1.`,
		Example: `  lift config print --env prod`,
		Args:    cobra.MaximumNArgs(1),
	}
	environment := environmentFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		cfg, problems := load(args, *environment, lookup)
		if err := cfg.Print(s.out); err != nil {
			return err
		}
		if len(problems) > 0 {
			writeProblems(s.err, cfg, problems)
			return errTold
		}
		return nil
	}
	return c
}

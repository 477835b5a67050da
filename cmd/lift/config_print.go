package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func configPrintCommand(s streams, lookup config.Lookup) *cobra.Command {
	c := &cobra.Command{
		Use:   "print [FILE]",
		Short: "Write the values that hold in the end, each with where it came from",
		Long: `Write the values that hold in the end as YAML, each with a comment that says
where it came from: a default, a line of the file, an environment, a variable.
What a variable that is named like a secret went into is masked.

What is sound is printed even if something else is broken; the problems are told
on standard error then, and the exit code is 1.`,
		Args: cobra.MaximumNArgs(1),
	}
	environment := environmentFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		cfg, problems := load(args, *environment, lookup)
		if err := cfg.Print(s.out); err != nil {
			return err
		}
		if len(problems) > 0 {
			_, _ = fmt.Fprintln(s.err, problems.Error())
			return errTold
		}
		return nil
	}
	return c
}

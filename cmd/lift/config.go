package main

import (
	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func configCommand(s streams, lookup config.Lookup) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check or show lift.yaml, write its schema for editors",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(configCheckCommand(s, lookup), configPrintCommand(s, lookup), configSchemaCommand(s))
	return c
}

// load reads the file that a command was given, or the one that Lift would find.
// environment, if not "", is chosen in place of $LIFT_ENV.
func load(args []string, environment string, lookup config.Lookup) (*config.Config, config.Problems) {
	if len(args) > 0 {
		return config.LoadEnvironment(args[0], environment, lookup)
	}
	path, err := config.Find(lookup)
	if err != nil {
		return config.Missing(err, lookup)
	}
	return config.LoadEnvironment(path, environment, lookup)
}

func environmentFlag(c *cobra.Command) *string {
	return c.Flags().String("env", "", "choose this environment, in place of $LIFT_ENV")
}

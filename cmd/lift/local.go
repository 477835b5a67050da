package main

import (
	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func localCommand(s streams, lookup config.Lookup) *cobra.Command {
	c := &cobra.Command{
		Use:   "local",
		Short: "Run a Lambda function on this machine",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(localInvokeCommand(s, lookup))
	return c
}

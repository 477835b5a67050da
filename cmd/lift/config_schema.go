package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func configSchemaCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Write a JSON Schema of lift.yaml for editors",
		Long: `Write a JSON Schema (draft-07) of lift.yaml to standard output. Editors with
yaml-language-server (VS Code's YAML extension, Neovim, Helix, Emacs and others)
complete and explain keys by it, and mark mistakes while you write:

    lift config schema > lift.schema.json

Then write this as the first line of lift.yaml:

    ` + config.SchemaComment + `

A schema does not see everything; lift config check does.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := s.out.Write(config.JSONSchema()); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(s.err, "to use it, write this as the first line of lift.yaml: "+config.SchemaComment)
			return nil
		},
	}
}

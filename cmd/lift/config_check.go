package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func configCheckCommand(s streams, lookup config.Lookup) *cobra.Command {
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Show every problem of lift.yaml",
		Long: `Show every problem of lift.yaml at once, each with its place in the file:

    FILE:LINE:COLUMN: KEY: what is wrong; what to do

Without FILE it checks the file that Lift would find: $LIFT_CONFIG,
/var/task/lift.yaml, /opt/lift/lift.yaml, ./lift.yaml.

Exit code 0: no error. 1: an error, or with --strict a warning. 2: the command
line is wrong.`,
		Example: `  lift config check                      the file that Lift would find
  lift config check --env prod --strict  before a deployment to prod
  lift config check --json | jq .ok      for programs`,
		Args: cobra.MaximumNArgs(1),
	}
	environment := environmentFlag(c)
	strict := c.Flags().Bool("strict", false, "fail for warnings too")
	asJSON := c.Flags().Bool("json", false, "write one JSON object to standard output, and nothing else")
	c.RunE = func(_ *cobra.Command, args []string) error {
		cfg, problems := load(args, *environment, lookup)
		ok := len(problems) == 0 && (!*strict || len(cfg.Warnings) == 0)
		if *asJSON {
			if err := writeCheck(s, cfg, problems, ok); err != nil {
				return err
			}
		} else {
			writeProblems(s.err, cfg, problems)
		}
		switch {
		case !ok:
			return errTold
		case *asJSON:
			return nil
		}
		_, err := fmt.Fprintf(s.out, "ok: %s\n", count(len(cfg.Services), "service"))
		return err
	}
	return c
}

// checkJSON is what `lift config check --json` writes. Its fields stay as they are;
// new ones may come.
type checkJSON struct {
	File        string        `json:"file"`
	Environment string        `json:"environment"` // "": none was chosen
	OK          bool          `json:"ok"`          // the exit code is 0
	Services    int           `json:"services"`
	Errors      int           `json:"errors"`
	Warnings    int           `json:"warnings"`
	Problems    []problemJSON `json:"problems"`
}

// problemJSON is one error or warning.
type problemJSON struct {
	Severity string `json:"severity"` // error, warning
	File     string `json:"file"`     // $NAME where a variable is wrong
	Line     int    `json:"line"`     // 0: it is not on a line
	Column   int    `json:"column"`   // in characters; 0 as above
	Key      string `json:"key"`
	What     string `json:"what"`
	Remedy   string `json:"remedy"`
	// Service is the one service that the problem breaks; Environment is the overlay
	// that it lies in. "" for none.
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Excerpt     string `json:"excerpt"` // the line of the file; "" for none, or one that is too long
}

func writeCheck(s streams, cfg *config.Config, problems config.Problems, ok bool) error {
	out := checkJSON{
		File: cfg.File, Environment: cfg.Environment, OK: ok, Services: len(cfg.Services),
		Errors: len(problems), Warnings: len(cfg.Warnings), Problems: []problemJSON{},
	}
	for _, p := range slices.Concat(problems, cfg.Warnings) {
		severity := "error"
		if p.Warning {
			severity = "warning"
		}
		out.Problems = append(out.Problems, problemJSON{
			Severity: severity, File: p.File, Line: p.Line, Column: p.Column, Key: p.Path, What: p.What, Remedy: p.Remedy,
			Service: p.Service, Environment: p.Environment, Excerpt: p.Excerpt,
		})
	}
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

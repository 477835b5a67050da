package main

import (
	"fmt"
	"io"

	"github.com/liftmesh/lift/config"
)

const usage = `lift-extension serves, by lift.yaml, until it is told to end. It also does:

  lift-extension health [--live] [--socket AT] [--timeout 1s]
        ask a sidecar whether it serves, for health checks of containers;
        exit code 0 or 1
  lift-extension version
`

// command does what the arguments say, outside Lambda: in images without a shell
// the one program has to be its own probe. Code 2: they say nothing it knows.
func command(args []string, lookup config.Lookup, out, problems io.Writer) (code int) {
	switch args[0] {
	case "health":
		return healthCommand(args[1:], lookup, out, problems)
	case "version", "--version":
		_, _ = fmt.Fprintln(out, "lift-extension "+version())
		return 0
	case "help", "--help", "-h":
		_, _ = fmt.Fprint(out, usage)
		return 0
	}
	_, _ = fmt.Fprintf(problems, "lift-extension: %q is no command; it takes none to serve, or health, or version\n", args[0])
	return 2
}

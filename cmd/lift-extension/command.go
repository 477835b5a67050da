package main

import (
	"fmt"
	"io"

	"github.com/liftmesh/lift/config"
)

const usage = `lift-extension takes calls to the services in lift.yaml, until SIGTERM.
Its commands:

  lift-extension health [--live] [--socket AT] [--timeout 1s]
        check whether a sidecar serves, for health checks of containers; the
        exit code is 0 or 1
  lift-extension version
        print the version
`

// command runs a command, outside Lambda, and returns the exit code; 2 if it is not
// known. Health is a command because images without a shell have no other program.
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
	_, _ = fmt.Fprintf(problems, "lift-extension: %q is not a command; want health, version, or no argument to serve\n", args[0])
	return 2
}

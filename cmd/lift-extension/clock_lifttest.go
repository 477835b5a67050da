//go:build lifttest

package main

import (
	"fmt"
	"os"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/shift"
)

// clock is the machine's, moved by the offsets in the file that LIFT_TEST_CLOCK
// names, so that a thaw can claim any gap.
func clock() func() lift.Instant {
	path := os.Getenv("LIFT_TEST_CLOCK")
	if path == "" {
		return lift.Now
	}
	now, err := shift.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lift-extension: test clock:", err)
		return lift.Now
	}
	return now
}

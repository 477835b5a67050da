//go:build lifttest

package main

import (
	"os"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/shift"
)

func clock() (func() lift.Instant, error) {
	path := os.Getenv("LIFT_TEST_CLOCK")
	if path == "" {
		return lift.Now, nil
	}
	return shift.Open(path)
}

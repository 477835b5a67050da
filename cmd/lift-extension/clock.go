//go:build !lifttest

package main

import "github.com/liftmesh/lift"

// clock returns the clocks that everything that ages reads. A test build has another,
// see clock_lifttest.go.
func clock() func() lift.Instant { return lift.Now }

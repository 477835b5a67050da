//go:build !lifttest

package main

import "github.com/liftmesh/lift"

func clock() (func() lift.Instant, error) { return lift.Now, nil }

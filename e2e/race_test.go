//go:build e2e && linux && race

package e2e_test

// withRace: the tests have the race detector, so the programs under test get it too.
const withRace = true

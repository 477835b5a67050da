//go:build e2e && linux && !race

package e2e_test

// withRace: the tests have no race detector.
const withRace = false

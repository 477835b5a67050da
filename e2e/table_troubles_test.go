//go:build e2e && linux

package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/emulator"
)

// trouble is what befalls the instances, or the way to them, and what may come
// of it.
type trouble struct {
	name    string
	relayed bool     // the way leads through relays, which a freeze holds
	config  []string // lines of the service in lift.yaml
	strike  func(*testing.T, *tableRoom)
	mend    func(*tableRoom)
	// amid is how long the calls are with the instances when it strikes; 0: they
	// are made after it, and an instance that answers sleeps on them.
	amid, sleep time.Duration
	// ruins: A is no good from then on, and calls go to B alone.
	ruins bool
	// costs is what a call may lose by it.
	costs time.Duration
	// codes are what a call that is not idempotent may fail with; none: none fails.
	codes []lift.Code
	// cutsStreams: a stream of which the caller has seen the beginning fails,
	// idempotent or not.
	cutsStreams bool
	// met looks whether the trouble was there at all.
	met func(*testing.T, *tableRoom, []came)
}

func troubles() []trouble {
	attempt := []string{"attempt_timeout: " + tableAttempt.String()}
	patient := []string{"attempt_timeout: 5s"} // so that it shows if a call waits for it
	frozen := func(fate emulator.Mode) func(*testing.T, *tableRoom) {
		return func(t *testing.T, r *tableRoom) { r.freeze(t, fate) }
	}
	return []trouble{
		{name: "freeze-fin", relayed: true, config: patient, strike: frozen(emulator.Deliver)},
		{name: "freeze-rst", relayed: true, config: patient, strike: frozen(emulator.Reset)},
		{name: "freeze-silence", relayed: true, config: patient, strike: frozen(emulator.Silent)},
		{
			name: "kill", config: patient, amid: 300 * time.Millisecond, ruins: true,
			strike: func(_ *testing.T, r *tableRoom) { r.relayed.instances[0].Kill() },
			mend:   func(r *tableRoom) { r.relayed.instances[0].Start() },
			costs:  300 * time.Millisecond, codes: []lift.Code{lift.Unavailable}, met: someFailedAtA,
		},
		{
			name: "hang", config: attempt, ruins: true,
			strike: func(_ *testing.T, r *tableRoom) { r.relayed.instances[0].Hang() },
			mend:   func(r *tableRoom) { r.relayed.instances[0].Continue() },
			costs:  tableAttempt, codes: []lift.Code{lift.AttemptTimeout}, met: someFailedAtA,
		},
		{
			name: "slow-head", config: attempt, ruins: true,
			strike: func(_ *testing.T, r *tableRoom) { r.relayed.instances[0].Delay(3 * time.Second) },
			mend:   func(r *tableRoom) { r.relayed.instances[0].Delay(0) },
			costs:  tableAttempt, codes: []lift.Code{lift.AttemptTimeout}, met: someFailedAtA,
		},
		{
			name: "half-answer", config: patient, ruins: true, cutsStreams: true,
			strike: func(_ *testing.T, r *tableRoom) { r.relayed.instances[0].Misbehave("half") },
			mend:   func(r *tableRoom) { r.relayed.instances[0].Misbehave("") },
			codes:  []lift.Code{lift.BadResponse, lift.Unavailable}, met: someFailedAtA,
		},
		{
			name: "goaway", config: patient, amid: 200 * time.Millisecond, costs: 200 * time.Millisecond,
			strike: func(_ *testing.T, r *tableRoom) {
				for _, u := range r.relayed.instances {
					u.Retire()
				}
			},
		},
		{
			name: "connection-limit", config: append(slices.Clone(patient), "connections: {max: 1}"), sleep: 50 * time.Millisecond,
			costs: 2 * tableCalls * 50 * time.Millisecond,
			met: func(t *testing.T, r *tableRoom, _ []came) {
				for i, u := range r.relayed.instances {
					if n := u.Opened() - r.opened[i]; n > 1 {
						t.Errorf("%s was connected to %d times", u.Name, n)
					}
				}
			},
		},
	}
}

// someFailedAtA: the calls did go where the trouble is.
func someFailedAtA(t *testing.T, _ *tableRoom, under []came) {
	t.Helper()
	retried, failed := 0, 0
	for _, c := range under {
		if c.err != nil {
			failed++
		}
		if len(c.attempts) > 1 {
			retried++
		}
	}
	if retried+failed == 0 {
		t.Errorf("%d calls were tried again and %d failed; did the trouble come to pass?", retried, failed)
	}
}

package sdk

import (
	"slices"
	"sync"

	"github.com/liftmesh/lift"
)

// Record tells how a call went: which endpoints were tried, and how each attempt
// ended. Give it to a call by [RecordIn]. It is filled when the call has ended: when
// the body of the answer was read to its end or closed, or the call failed. If
// several calls share one record, it has the one that ended last.
//
// The zero Record is ready for use. It is safe for concurrent use.
type Record struct {
	mu       sync.Mutex
	attempts []lift.AttemptRecord
	direct   bool
}

// Attempts returns what was tried, in order: nil while the call runs, and for a
// call that no endpoint was tried for.
func (r *Record) Attempts() []lift.AttemptRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attempts)
}

// Endpoint returns the endpoint that answered, and whether one did.
func (r *Record) Endpoint() (lift.Endpoint, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range slices.Backward(r.attempts) {
		if a.Status != 0 {
			return a.Endpoint, true
		}
	}
	return lift.Endpoint{}, false
}

// Direct reports whether the call went past the sidecar, by the URL that
// [Direct] gives for the service.
func (r *Record) Direct() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.direct
}

func (r *Record) fill(attempts []lift.AttemptRecord, direct bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts, r.direct = slices.Clone(attempts), direct
}

package main

import (
	"sync"
	"time"
)

// invocation keeps what is known of the current invocation. Two sources report, in
// any order: the function's SDK its start and its end, the Extensions API its start.
// Safe for concurrent use.
type invocation struct {
	// many says that several run at a time, as on Managed Instances, so that no single
	// one bounds a call. Set before first use.
	many bool

	mu   sync.Mutex
	id   string
	end  time.Time
	done string // the invocation that ended last; later reports of its start are ignored
}

// started notes an invocation. end is its deadline, zero if unknown.
func (i *invocation) started(id string, end time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.many && (id == "" || id != i.done) {
		i.id, i.end = id, end
	}
}

// ended notes that the invocation is over.
func (i *invocation) ended(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.done = id
	if i.id == id {
		i.id, i.end = "", time.Time{}
	}
}

// deadline returns when the current invocation ends, zero if there is none.
func (i *invocation) deadline() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.end
}

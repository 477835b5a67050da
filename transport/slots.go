package transport

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/liftmesh/lift"
)

// The limits of a process: 256 of the 1,024 descriptors that a function shares
// with its extensions, and few connects at once, so that a thaw is no storm.
const (
	DefaultConnections = 256
	DefaultConnects    = 4
)

// What a call dies of that has come to these limits in its time.
var (
	errNoSlot   = errors.New("no connection was free in this process; is something holding many calls open?")
	errConnects = errors.New("too many connects are under way in this process")
)

// Slots is what all pools of a process share: how many connections may be open,
// and how many may be being opened at once. When connections run out, the pools
// give up idle ones. A nil *Slots limits nothing. Safe for concurrent use.
type Slots struct {
	connections chan struct{}
	connects    chan struct{}
	waiting     atomic.Int64

	mu    sync.Mutex
	pools []sharer
}

// sharer is a pool that gives up what it does not need.
type sharer interface {
	// longestIdle is since when its oldest idle connection is idle.
	longestIdle() (since lift.Instant, ok bool)
	// shed closes that one, if there is one.
	shed() bool
}

// NewSlots returns the slots for so many connections and connects at once; 0 is
// [DefaultConnections] and [DefaultConnects].
func NewSlots(connections, connects int) *Slots {
	connections = cmp.Or(connections, DefaultConnections)
	connects = cmp.Or(connects, DefaultConnects)
	return &Slots{connections: make(chan struct{}, connections), connects: make(chan struct{}, connects)}
}

// acquire waits for a connection's slot until done, first come, first served.
func (s *Slots) acquire(done <-chan struct{}) bool {
	if s == nil || s.try() {
		return true
	}
	s.waiting.Add(1) // from here on nobody puts a connection by
	defer s.waiting.Add(-1)
	s.shed()
	select {
	case s.connections <- struct{}{}:
		return true
	case <-done:
		return false
	}
}

// tryAcquire is acquire for who does not wait.
func (s *Slots) tryAcquire() bool {
	return s == nil || s.try() || s.shed() && s.try()
}

func (s *Slots) try() bool {
	select {
	case s.connections <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *Slots) release() {
	if s != nil {
		<-s.connections
	}
}

// connect waits until it may open a connection; the caller ends it by connected.
func (s *Slots) connect(done <-chan struct{}) bool {
	if s == nil {
		return true
	}
	select {
	case s.connects <- struct{}{}:
		return true
	case <-done:
		return false
	}
}

func (s *Slots) connected() {
	if s != nil {
		<-s.connects
	}
}

// scarce reports whether somebody waits for a connection's slot.
func (s *Slots) scarce() bool { return s != nil && s.waiting.Load() > 0 }

// shed has the connection closed that is idle for longest, of all the pools'.
func (s *Slots) shed() bool {
	s.mu.Lock()
	pools := slices.Clone(s.pools)
	s.mu.Unlock()
	var victim sharer
	var oldest lift.Instant
	for _, p := range pools {
		if since, ok := p.longestIdle(); ok && (victim == nil || since.Mono < oldest.Mono) {
			victim, oldest = p, since
		}
	}
	return victim != nil && victim.shed()
}

func (s *Slots) join(p sharer) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools = append(s.pools, p)
}

func (s *Slots) leave(p sharer) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.pools, p); i >= 0 {
		s.pools = slices.Delete(s.pools, i, i+1)
	}
}

package transport

import (
	"cmp"
	"fmt"
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

// queuer is what waits for a slot. It is told when the wait begins and when it ends; it
// gives up when Done is closed.
type queuer interface {
	Done() <-chan struct{}
	// await is told of [room] and the limit.
	await(p party, full func() error)
	// dequeued ends the wait, whether its turn came or not.
	dequeued()
}

// quietly is a queuer whose wait is not counted.
type quietly struct{ done <-chan struct{} }

// Done implements queuer.
func (q quietly) Done() <-chan struct{} { return q.done }

func (quietly) await(party, func() error) {}
func (quietly) dequeued()                 {}

// acquire takes a connection's slot, first come, first served. It returns the error
// of the limit, whose code is Busy, if q gave up before its turn.
func (s *Slots) acquire(q queuer) *failure {
	if s == nil || s.try() {
		return nil
	}
	s.waiting.Add(1) // from here on nobody puts a connection by
	defer s.waiting.Add(-1)
	s.shed()
	return enqueue(q, s.connections, s.allOpen)
}

// enqueue takes a slot, and waits for one if there is none.
func enqueue(q queuer, slots chan struct{}, full func() error) *failure {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	q.await(room, full)
	defer q.dequeued()
	select {
	case slots <- struct{}{}:
		return nil
	case <-q.Done():
		return &failure{code: lift.Busy, err: full(), unwanted: true}
	}
}

// allOpen returns the error of a call that found no slot for its connection.
func (s *Slots) allOpen() error {
	return fmt.Errorf("all %d connections of this process are in use; end calls that hold one, such as streams, or raise limits.connections (%d)", cap(s.connections), cap(s.connections))
}

// allOpening returns the error of a call that found no slot for its connect.
func (s *Slots) allOpening() error {
	return fmt.Errorf("this process is opening %d connections, as many as it may at one time; look at the endpoints that do not accept, or raise limits.connects (%d)", cap(s.connects), cap(s.connects))
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

// connect takes the slot of a connect, as [Slots.acquire] does; the caller ends it by
// connected.
func (s *Slots) connect(q queuer) *failure {
	if s == nil {
		return nil
	}
	return enqueue(q, s.connects, s.allOpening)
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

package transport

import (
	"context"
	"net"
	"sync"

	"github.com/liftmesh/lift"
)

// auto is the way to an endpoint that chooses in its first TLS handshake what is
// spoken (ALPN). From then on it is the way that was chosen, until a connection
// cannot be opened: the endpoint may be another program by then, and is asked anew.
type auto struct {
	way
	o Options

	mu     sync.Mutex
	chosen Upstream
	asking *question // not nil while the endpoint is being asked
	lines  *Pool     // for upgrades, which HTTP/2 has none of; nil until there is one
	closed bool
}

// question is one handshake to learn what is spoken, which many may wait for.
type question struct {
	answered chan struct{}
	up       Upstream
	failure  *failure

	// Guarded by auto.mu.
	calls []*bounds    // of those who wait
	full  func() error // the process's limit that the handshake waits for; nil for none
}

func newAuto(addr string, o Options) *auto { return &auto{way: newWay(addr, o), o: o} }

// RoundTrip implements [lift.RoundTripper].
func (u *auto) RoundTrip(a *lift.Attempt) (*lift.Response, error) {
	if a.Upgrade != "" {
		return u.upgrades().RoundTrip(a)
	}
	up := u.known()
	if up == nil {
		var f *failure
		if up, f = u.learn(a); f != nil {
			return nil, u.failed(a, f)
		}
	}
	resp, err := up.RoundTrip(a)
	if err != nil && a.Fresh && a.Reached == lift.NotReached && lift.CodeOf(err) != lift.Busy {
		u.forget(up)
	}
	return resp, err
}

func (u *auto) known() Upstream {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.chosen
}

// upgrades is the way to the endpoint by HTTP/1.1, whatever it chose for other calls.
func (u *auto) upgrades() *Pool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lines == nil {
		o := u.o
		o.Config.Protocol = HTTP
		u.lines = NewPool(u.addr, o)
		if u.closed {
			u.lines.Close()
		}
	}
	return u.lines
}

// learn waits for the endpoint's choice, within the attempt's bounds.
func (u *auto) learn(a *lift.Attempt) (Upstream, *failure) {
	b := bounds{way: &u.way, began: u.now(), cuts: uncuttable{}}
	if f := b.start(a); f != nil {
		return nil, f
	}
	defer b.lift()
	q := u.ask(&b)
	if q == nil {
		return nil, &failure{code: lift.Unavailable, err: errLeft}
	}
	defer b.account(a)
	select {
	case <-q.answered:
		a.Fresh = q.failure != nil
		return q.up, q.failure
	case <-b.Done():
		return nil, b.cutFailure()
	}
}

// uncuttable is for bounds that somebody waits for, and no more.
type uncuttable struct{}

func (uncuttable) severed() {}

// ask asks the endpoint, unless it is being asked. b, if not nil, is told when that
// waits for a limit. It returns nil on what is closed.
func (u *auto) ask(b *bounds) *question {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	if u.asking == nil {
		u.asking = &question{answered: make(chan struct{})}
		if u.chosen != nil { // meanwhile
			u.asking.up = u.chosen
			close(u.asking.answered)
			q := u.asking
			u.asking = nil
			return q
		}
		go u.shake(u.asking)
	}
	if b != nil {
		u.asking.calls = append(u.asking.calls, b)
		if u.asking.full != nil {
			b.await(room, u.asking.full)
		}
	}
	return u.asking
}

// asker is a question that waits for the process's slots.
type asker struct {
	*auto
	q *question
}

// Done implements queuer: others may come to ask the same.
func (asker) Done() <-chan struct{} { return nil }

func (a asker) await(p party, full func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.q.full = full
	for _, b := range a.q.calls {
		b.await(p, full)
	}
}

func (a asker) dequeued() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.q.full = nil
	for _, b := range a.q.calls {
		b.dequeued()
	}
}

// shake opens the endpoint's first connection, and has the way that it chose keep it.
func (u *auto) shake(q *question) {
	defer func() {
		u.mu.Lock()
		u.asking, u.chosen = nil, q.up
		closed := u.closed
		u.mu.Unlock()
		if closed && q.up != nil {
			q.up.Close()
		}
		close(q.answered)
	}()
	defer u.contain("asking an endpoint what it speaks", func(err error) {
		q.up, q.failure = nil, &failure{code: lift.Internal, err: err}
	})
	nc, protocol, err := u.open(q)
	if err != nil {
		q.failure = unconnected(err)
		return
	}
	o := u.o
	o.Config.Protocol = HTTP
	if protocol == "h2" {
		o.Config.Protocol = H2
	}
	q.up = New(u.addr, o)
	q.up.(interface{ first(nc net.Conn) }).first(nc)
	_ = q.up.Warm(context.Background(), 1) // what is wrong with it shows when it is called
}

// open opens a connection within the process's limits. Its slot is held if it does.
func (u *auto) open(q *question) (nc net.Conn, protocol string, err error) {
	_ = u.slots.acquire(asker{u, q}) // which waits until it has one
	defer func() {
		if nc == nil {
			u.slots.release()
		}
	}()
	_ = u.slots.connect(asker{u, q})
	defer u.slots.connected()
	return u.dialer.open(context.Background())
}

// forget has the endpoint asked anew.
func (u *auto) forget(up Upstream) {
	u.mu.Lock()
	mine := u.chosen == up
	if mine {
		u.chosen = nil
	}
	u.mu.Unlock()
	if mine {
		up.Close()
	}
}

// Warm implements [Upstream].
func (u *auto) Warm(ctx context.Context, n int) error {
	if n <= 0 {
		return nil
	}
	up := u.known()
	if up == nil {
		q := u.ask(nil)
		if q == nil {
			return nil
		}
		select {
		case <-q.answered:
			if q.failure != nil {
				return &lift.Error{Code: q.failure.code, Endpoint: u.addr, Err: q.failure.err}
			}
			up = q.up
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return up.Warm(ctx, n)
}

// Thaw implements [Upstream].
func (u *auto) Thaw() {
	if up := u.known(); up != nil {
		up.Thaw()
	}
}

// Close implements [Upstream].
func (u *auto) Close() {
	u.mu.Lock()
	u.closed = true
	up, lines := u.chosen, u.lines
	u.mu.Unlock()
	if lines != nil {
		lines.Close()
	}
	if up != nil {
		up.Close()
	}
}

// Stats implements [Upstream].
func (u *auto) Stats() Stats {
	u.mu.Lock()
	up, lines := u.chosen, u.lines
	u.mu.Unlock()
	var s Stats
	if up != nil {
		s = up.Stats()
	}
	if lines != nil {
		l := lines.Stats()
		s = Stats{Open: s.Open + l.Open, Idle: s.Idle + l.Idle, InUse: s.InUse + l.InUse}
	}
	return s
}

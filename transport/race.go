package transport

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// grace is how long a doubtful connection has to bring the first byte of an
// answer, counted from when the fresh one beside it is ready. Within one region
// a round trip is far below it, so a peer that is there and does not work for
// long answers in time; one that works longer sees the request twice, which an
// idempotent call allows. It is what a black hole costs.
const grace = 100 * time.Millisecond

// race sends the request over a doubtful connection and has a fresh one opened
// beside it, to send it again if the doubtful one breaks or stays silent. The
// first answer wins and the other connection is closed; a fresh one that was not
// needed goes to the pool.
func (x *exchange) race(old *conn) (answer, *failure) {
	p := x.pool
	spot := p.openBeside(x)
	if spot == nil { // none can be had beside it: a doubtful one never goes alone
		old.close()
		if _, _, f := p.take(x, wantFresh); f != nil {
			return answer{}, f
		}
		return x.runFresh()
	}
	defer spot.leave()

	results := make(chan result, 2) // room for both, so that the loser waits for nobody
	go x.sendTo(old, results)
	var (
		spare    *conn            // the fresh one, once it is open
		noSpare  *failure         // or why there is none
		sent     bool             // over the fresh one too
		oldDead  *failure         // why the doubtful one failed
		patience <-chan time.Time // grace
	)
	for {
		switch {
		case oldDead != nil && noSpare != nil:
			return answer{}, noSpare
		case oldDead != nil && spare != nil && !sent:
			sent = true
			spot.keep()
			go x.sendTo(spare, results)
		}
		select {
		case r := <-results:
			switch {
			case r.conn == old && r.failure == nil:
				if sent {
					x.detach(spare)
					spare.close()
				}
				return answer{conn: old, resp: r.resp}, nil
			case r.conn == old:
				if !r.failure.silent {
					return answer{}, r.failure
				}
				oldDead = r.failure
				p.dropOlder(old)
			default:
				x.detach(old)
				old.close()
				if r.failure == nil {
					p.dropOlder(old) // it stayed silent for longer than the fresh one took
				}
				return answer{conn: spare, resp: r.resp, fresh: true}, r.failure
			}
		case o := <-spot.opened:
			spare, noSpare = o.conn, o.failure
			if spare != nil {
				timer := time.NewTimer(grace)
				defer timer.Stop() //nolint:gocritic,revive // runs once at most
				patience = timer.C
			}
		case <-patience:
			patience = nil
			if oldDead == nil && !sent && !old.hasHeard() {
				sent = true
				spot.keep()
				go x.sendTo(spare, results)
			}
		case <-x.Done():
			return answer{}, x.cutFailure()
		}
	}
}

// result is how one sending ended.
type result struct {
	conn    *conn
	resp    *http.Response
	failure *failure
}

func (x *exchange) sendTo(c *conn, results chan<- result) {
	defer x.pool.contain("sending a request", func(err error) {
		c.close()
		results <- result{conn: c, failure: &failure{code: lift.Internal, err: err}}
	})
	resp, f := x.send(c)
	results <- result{c, resp, f}
}

// beside is a connection that is being opened beside a doubtful one.
type beside struct {
	pool   *Pool
	opened chan opening // holds one

	mu   sync.Mutex
	left bool // nobody waits for it any more
	kept bool // it is in use
	conn *conn
}

type opening struct {
	conn    *conn
	failure *failure
}

// openBeside opens a connection in the background, or returns nil if the limits
// leave no room for one. It goes on when the exchange ends first, within
// ConnectTimeout, and is put by for the next call.
func (p *Pool) openBeside(x *exchange) *beside {
	if !p.tryPermit() {
		return nil
	}
	if !p.slots.tryAcquire() {
		p.permitBack()
		return nil
	}
	b := &beside{pool: p, opened: make(chan opening, 1)}
	go func() {
		defer p.contain("opening a connection", func(err error) {
			b.opened <- opening{failure: &failure{code: lift.Internal, err: err}}
		})
		c, f := p.connect(context.Background(), quietly{x.Done()}, true)
		b.arrive(c, f)
	}()
	return b
}

func (b *beside) arrive(c *conn, f *failure) {
	b.mu.Lock()
	b.conn = c
	left := b.left
	b.mu.Unlock()
	if left && c != nil {
		b.pool.put(c)
		return
	}
	b.opened <- opening{c, f}
}

// keep says that the connection has been put to use.
func (b *beside) keep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = true
}

// leave says that nobody waits any longer; what is open and not in use is put by.
func (b *beside) leave() {
	b.mu.Lock()
	b.left = true
	c := b.conn
	if b.kept {
		c = nil
	}
	b.mu.Unlock()
	if c != nil {
		b.pool.put(c)
	}
}

package transport

import (
	"github.com/liftmesh/lift"
)

// RoundTrip sends one attempt to the endpoint. It returns at the answer's head, or,
// if the answer declares a length of at most [Config.Whole], when all of it is here.
//
// Up to there the attempt's Timeout limits what the endpoint does: it has that long to
// be connected to, to take more of the request, and to answer once it has all of it.
// The first of these ends at the attempt's Deadline. While the caller has not sent the
// rest of a live body, or the call waits for a limit ([Config.Wait]), the timeout does
// not run. A stream that follows is cut by the call's deadline and its cancel only. Reading a stream cut short gives an
// [*lift.Error]. Whoever gets the response reads its body to the end or closes it.
//
// The request may go over the wire twice, if the call is idempotent and its body
// is all here: when a pooled connection broke, or was doubtful and stayed silent,
// before a byte of an answer came. Any other request goes a second time only if
// nothing of the first had left.
//
// The errors are Unavailable, Misconfigured (by Sign alone), AttemptTimeout, DeadlineExceeded, CallCanceled,
// BadResponse, TooLarge, InvalidCall and Busy. Status, Fresh, Reached, Queued, Sending,
// Deadline and Err of the attempt are written before RoundTrip returns.
func (p *Pool) RoundTrip(a *lift.Attempt) (*lift.Response, error) {
	x := &exchange{pool: p}
	x.bounds = bounds{way: &p.way, began: p.now(), cuts: x}
	if err := x.prepare(a, p.addr, p.cfg.PathPrefix, p.sign != nil); err != nil {
		return nil, x.fail(a, &failure{code: lift.InvalidCall, err: err})
	}
	x.repeatable = a.IsIdempotent() && !x.live
	f := p.refused()
	if f == nil {
		f = x.start(a)
	}
	if f == nil && p.sign != nil {
		f = x.signed(&x.request)
	}
	if f == nil {
		var got answer
		if got, f = x.run(); f == nil {
			var resp *lift.Response
			if resp, f = x.deliver(a, got); f == nil {
				x.account(a)
				return resp, nil
			}
		} else {
			a.Fresh = got.fresh
		}
	}
	x.end(nil)
	x.account(a)
	return nil, x.fail(a, f)
}

// run gets the request to the endpoint: over a pooled connection if one can be
// had that suits it, over a fresh one otherwise, or over one after the other.
func (x *exchange) run() (answer, *failure) {
	what := wantTrusted
	if x.repeatable {
		what = wantAny
	}
	c, doubtful, f := x.pool.take(x, what)
	switch {
	case f != nil:
		return answer{}, f
	case c == nil:
		return x.runFresh()
	case doubtful:
		return x.race(c)
	}
	resp, f := x.send(c)
	if f == nil {
		return answer{conn: c, resp: resp}, nil
	}
	if !f.silent || !f.unsent && !x.repeatable {
		return answer{}, f
	}
	x.pool.dropOlder(c)
	if _, _, waited := x.pool.take(x, wantFresh); waited != nil {
		return answer{}, waited
	}
	return x.runFresh()
}

// runFresh sends the request over a connection of its own. The permit for it is held.
func (x *exchange) runFresh() (answer, *failure) {
	c, f := x.pool.connect(x, x, false)
	if f != nil {
		if cut := x.cutFailure(); cut != nil {
			f = cut
		}
		return answer{fresh: true}, f
	}
	resp, f := x.send(c)
	return answer{conn: c, resp: resp, fresh: true}, f
}

func (p *Pool) refused() *failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		return nil
	}
	return &failure{code: lift.Unavailable, err: errLeft}
}

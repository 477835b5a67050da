package transport

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/liftmesh/lift"
)

// muxExchange is one attempt on its way over connections that others use too: a
// cut ends its stream and leaves the connection as it is.
type muxExchange struct {
	request
	bounds
	pool    *Mux
	fresh   bool
	reached lift.Reached

	conn   *muxConn // whose place it has
	sent   lift.Instant
	upload *upload        // guarded by bounds.mu
	answer *http.Response // guarded by bounds.mu
	hungUp bool           // likewise: the answer is closed
}

// RoundTrip sends one attempt to the endpoint. It returns at the answer's head, or,
// if the answer declares a length of at most [Config.Whole], when all of it is here.
//
// What [Pool.RoundTrip] promises of limits, bodies, errors and the record holds here too.
// The request may go over the wire twice, if the call is idempotent and its body can
// be replayed, when a pooled connection broke before the answer's head came. Any
// other request goes a second time only if the endpoint cannot have begun with the
// first: it did not leave, or a GOAWAY says so.
func (m *Mux) RoundTrip(a *lift.Attempt) (*lift.Response, error) {
	x := &muxExchange{pool: m}
	x.bounds = bounds{way: &m.way, began: m.now(), cuts: x}
	resp, f := x.call(a)
	a.Fresh = x.fresh
	if f == nil {
		x.account(a)
		return resp, nil
	}
	x.give(nil)
	x.account(a)
	a.Reached = max(a.Reached, x.reached)
	return nil, x.failed(a, f)
}

func (x *muxExchange) call(a *lift.Attempt) (*lift.Response, *failure) {
	m := x.pool
	if a.Upgrade != "" {
		return nil, &failure{code: lift.InvalidCall, err: errors.New("HTTP/2 has no upgrades; set protocol: http, or auto with TLS, for this service")}
	}
	if err := x.prepare(a, m.addr, m.cfg.PathPrefix, m.sign != nil); err != nil {
		return nil, &failure{code: lift.InvalidCall, err: err}
	}
	if x.upgrade != "" {
		return nil, &failure{code: lift.InvalidCall, err: fmt.Errorf("the endpoint is spoken to over HTTP/2, which has no upgrade to %s; set protocol: http", x.upgrade)}
	}
	x.url.Scheme = m.scheme
	if lift.IsGRPC(a.Header) {
		x.grpc(a.Call)
	}
	if m.refused() {
		return nil, &failure{code: lift.Unavailable, err: errLeft}
	}
	if f := x.start(a); f != nil {
		return nil, f
	}
	if m.sign != nil {
		if f := x.signed(&x.request); f != nil {
			return nil, f
		}
	}
	f := x.send()
	if f != nil && x.again(a, f) {
		f = x.send()
	}
	if f != nil {
		return nil, f
	}
	return x.deliver(a)
}

func (m *Mux) refused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// again reports whether the request may go out once more within the attempt.
func (x *muxExchange) again(a *lift.Attempt, f *failure) bool {
	switch {
	case x.cutFailure() != nil:
		return false
	case f.elsewhere:
		return a.Replayable()
	default:
		return f.silent && !x.fresh && a.IsIdempotent() && a.Replayable()
	}
}

// send finds a connection, sends the request on it and waits for the answer's head.
func (x *muxExchange) send() *failure {
	got := x.pool.place(x)
	x.fresh = got.fresh
	if got.conn == nil {
		if got.failure == nil {
			got.failure = x.cutFailure()
		}
		return got.failure
	}
	x.conn = got.conn
	o, u := x.outgoing(&x.bounds)
	x.sent = x.now()
	x.mu.Lock()
	x.upload = u
	x.mu.Unlock()
	resp, err := x.conn.client.RoundTrip(o.WithContext(x))
	if err != nil {
		u.abort()
		f := x.failureOn(err)
		if !f.unsent {
			x.reached = max(x.reached, lift.MayHaveActed)
		}
		x.conn.waitedInVain(x.sent, x.now())
		x.pool.release(x.conn, false)
		x.conn = nil
		return f
	}
	x.conn.proved(x.sent)
	x.mu.Lock()
	x.answer = resp
	cut := x.cause != uncut
	x.mu.Unlock()
	if cut {
		x.severed()
	}
	return nil
}

// severed ends the stream once the exchange was cut. http2 ends the request by
// itself, but not who waits for more of its answer.
func (x *muxExchange) severed() {
	x.mu.Lock()
	u, resp := x.upload, x.answer
	x.mu.Unlock()
	u.abort()
	if resp != nil {
		go x.hangUp()
	}
}

func (x *muxExchange) hangUp() {
	defer x.contain("closing an answer", nil)
	x.closeAnswer()
}

// closeAnswer closes the answer, once: http2 would give its flow control back as
// often as it is told. It may wait for a write that is stuck, up to writeStall.
func (x *muxExchange) closeAnswer() {
	x.mu.Lock()
	resp := x.answer
	if x.hungUp {
		resp = nil
	}
	x.hungUp = true
	x.mu.Unlock()
	if resp != nil {
		_ = resp.Body.Close() // there is nothing to do about it
	}
}

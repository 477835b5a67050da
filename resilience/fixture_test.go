package resilience_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

// clock is two hands that a test moves apart.
type clock struct{ at lift.Instant }

func newClock() *clock {
	return &clock{lift.Instant{Wall: time.Unix(1_800_000_000, 0), Mono: time.Hour}}
}

func (c *clock) now() lift.Instant { return c.at }

func (c *clock) run(d time.Duration) {
	c.at.Wall, c.at.Mono = c.at.Wall.Add(d), c.at.Mono+d
}

// freeze lets d pass of which monotonic time knows nothing.
func (c *clock) freeze(d time.Duration) { c.at.Wall = c.at.Wall.Add(d) }

// gate notes what a breaker does to it.
type gate struct {
	state  string
	length time.Duration
	log    []string
}

func (g *gate) Suspend(length time.Duration, why string) {
	g.state, g.length = "open", length
	g.log = append(g.log, "open: "+why)
}

func (g *gate) Resume(why string) {
	g.state = "closed"
	g.log = append(g.log, "closed: "+why)
}

func (g *gate) ReturnProbe(why string) { g.log = append(g.log, "returned: "+why) }

func attempt(o lift.Outcome) *lift.AttemptRecord {
	a := &lift.AttemptRecord{Outcome: o, Reached: lift.Answered}
	switch o {
	case lift.OK:
		a.Status = 200
	case lift.Failed:
		a.Status = 502
	case lift.Overloaded:
		a.Status = 503
	}
	return a
}

func probe(o lift.Outcome) *lift.AttemptRecord {
	a := attempt(o)
	a.Probe = true
	return a
}

// report tells b of an attempt that ended now, as the mesh does.
func report(b *resilience.Breaker, now func() lift.Instant, a *lift.AttemptRecord) {
	a.Began = now()
	v := resilience.Compare.Verdict(a, resilience.Sight{})
	if a.Probe {
		b.Probed(a, v)
		return
	}
	b.Report(a, v)
}

// step is what a scripted endpoint does with one attempt.
type step struct {
	status  int
	err     error
	outcome lift.Outcome
	reached lift.Reached
	takes   time.Duration
	asks    time.Duration // Retry-After
	grpc    string
	live    bool // the answer's body is still coming in
}

// script answers one attempt after the other; the last step repeats.
type script struct {
	steps []step
	seen  int
	open  int // live answers that nobody has ended
}

var errNobody = errors.New("nobody left")

func (s *script) Call(c *lift.Call) (*lift.Response, error) {
	st := s.steps[min(s.seen, len(s.steps)-1)]
	if st.err != nil && errors.Is(st.err, errNobody) {
		return nil, lift.Errorf(c, lift.AllOpen, "%w", st.err)
	}
	s.seen++
	a := c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: fmt.Sprintf("10.0.0.%d:80", s.seen)}})
	defer a.End()
	if st.takes > 0 {
		time.Sleep(st.takes) // in a bubble
	}
	a.Status, a.Outcome, a.Reached, a.RetryAfter, a.GRPC = st.status, st.outcome, st.reached, st.asks, st.grpc
	if s.open > 0 {
		return nil, lift.Errorf(c, lift.Internal, "the answer before is still held")
	}
	if st.err != nil {
		a.AttemptRecord.Err = st.err
		return nil, lift.Errorf(c, lift.Unavailable, "%w", st.err)
	}
	body := lift.BytesBody([]byte(a.Endpoint.Addr))
	if st.live {
		s.open++
		body = lift.StreamBody(io.NopCloser(strings.NewReader(a.Endpoint.Addr)), -1, 0)
		body.OnEnd(func(error) { s.open-- })
	}
	return &lift.Response{Status: st.status, Body: body}, nil
}

package resilience

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// Outliers compares the endpoints of one service by their answers. A bad answer (a
// 500, a grpc-status INTERNAL, none within the caller's time) may be the endpoint's
// fault or the request's: a URL whose handler always fails makes every endpoint answer
// badly. So an endpoint is taken out for its answers only if it is worse than the
// others in the same time, and never if it is the last one that is usable.
//
// Each endpoint has a run: a stretch of its answers that began with a bad one. Over a run
// two explanations are weighed: that it fails as often as the others did in that time
// (p), and that it fails in addition a share Ratio of what they answer well
// (p + Ratio(1-p)). The logarithm of how much better the second one explains the run
// is the evidence; a run whose evidence is not positive ends, and at enough the
// endpoint is taken out. This is a cumulative sum test (Page, Continuous Inspection
// Schemes, 1954) against a reference that is measured beside it. Where others never
// fail, three to five bad answers in a row are enough; where they fail often it takes
// more. docs/decisions has the simulation that set the constants.
//
// A good answer costs one atomic addition. Safe for concurrent use.
type Outliers struct {
	now  func() lift.Instant
	rand func() uint64

	mu    sync.Mutex
	cfg   BreakerConfig
	peers []*Peer // the current set
}

const (
	// enough is the evidence that takes an endpoint out. An alarm without a cause is
	// to be expected not sooner than after e^enough answers (Lorden, 1971).
	enough = 12
	// apart is the evidence that is needed in the run itself, whatever was known of the
	// others before: a burst of requests that fail everywhere meets the endpoints one
	// after the other.
	apart = 5
	// few is how many good answers the others must have given in the run: an endpoint
	// that gets all the calls cannot be compared.
	few = 3
	// known is the largest number of the others' earlier answers that count in a run.
	known = 200
)

// OutlierGate is the part of a node that Outliers closes, and that tells whether the
// node is usable.
type OutlierGate interface {
	// Suspend takes the endpoint out for length.
	Suspend(length time.Duration, why string)
	// Usable reports whether calls go to the endpoint.
	Usable() bool
}

// Peer is the memory of Outliers of one endpoint.
type Peer struct {
	all  *Outliers
	gate OutlierGate

	good atomic.Int64
	bad  atomic.Int64 // written under all.mu

	// Guarded by all.mu.
	began  tallies // the counts when the run began
	before counts  // of the others, up to then; at most known
	carry  float64 // evidence from before the endpoint was last taken out
	trips  int
	back   lift.Instant // when it was due to be used again
}

type counts struct{ good, bad float64 }

// tallies are the counts of an endpoint and of all others.
type tallies struct{ own, rest counts }

// NewOutliers returns a comparison without endpoints.
func NewOutliers(cfg BreakerConfig, now func() lift.Instant, rand func() uint64) *Outliers {
	return &Outliers{cfg: cfg.WithDefaults(), now: now, rand: rand}
}

// Change replaces the configuration.
func (o *Outliers) Change(cfg BreakerConfig) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cfg = cfg.WithDefaults()
}

// Peer returns the memory of the endpoint behind gate. The comparison includes it once
// it is passed to Replace.
func (o *Outliers) Peer(gate OutlierGate) *Peer { return &Peer{all: o, gate: gate} }

// Replace sets the endpoints to compare.
func (o *Outliers) Replace(peers []*Peer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.peers = peers
	o.restart()
}

// restart starts all runs again, because the endpoints that they were compared with
// have changed.
func (o *Outliers) restart() {
	for _, p := range o.peers {
		p.restart(p.tallies())
	}
}

// Good notes a good answer.
func (p *Peer) Good() { p.good.Add(1) }

// Bad notes a bad answer, and takes the endpoint out if that makes it worse than the
// others. cause is shown to people.
func (p *Peer) Bad(cause string) {
	o := p.all
	o.mu.Lock()
	length, why := o.weigh(p, cause)
	o.mu.Unlock()
	if length > 0 {
		p.gate.Suspend(length, why)
	}
}

// weigh counts a bad answer of p. If p must be taken out, length is for how long; else
// it is 0.
func (o *Outliers) weigh(p *Peer, cause string) (length time.Duration, why string) {
	now := p.tallies()
	p.bad.Add(1)
	own, rest := now.own.since(p.began.own), now.rest.since(p.began.rest)
	if p.carry+o.evidence(own, rest, p.before) <= 0 {
		p.restart(now)
		own, rest = counts{}, counts{}
	}
	own.bad++
	switch {
	case p.carry+o.evidence(own, rest, p.before) < enough:
		return 0, ""
	case o.evidence(own, rest, counts{}) < apart, rest.good < few, !o.another(p):
		return 0, ""
	}
	why = fmt.Sprintf("answers worse than the others: %.0f of the last %.0f badly, they %.0f of %.0f; the last: %s",
		own.bad, own.bad+own.good, rest.bad, rest.bad+rest.good, cause)
	at := o.now()
	if !p.back.IsZero() && at.Age(p.back) > o.cfg.Window {
		p.trips = 0
	}
	length = o.cfg.openFor(p.trips, o.rand)
	p.trips++
	p.back = lift.Instant{Wall: at.Wall.Add(length), Mono: at.Mono + length}
	o.restart()
	p.carry = enough / 2
	return length, why
}

// another reports whether an endpoint other than p is usable.
func (o *Outliers) another(p *Peer) bool {
	at := o.now()
	for _, q := range o.peers {
		if q != p && q.gate.Usable() && !at.Before(q.back) {
			return true
		}
	}
	return false
}

// evidence returns how much better own fits an endpoint that is worse than the others
// than one that is like them: the logarithm of the ratio of the two likelihoods.
func (o *Outliers) evidence(own, rest, before counts) float64 {
	p := (rest.bad + before.bad + 0.5) / (rest.sum() + before.sum() + 1) // Jeffreys' prior
	worse := p + o.cfg.FailureRatio*(1-p)
	return own.bad*math.Log(worse/p) + own.good*math.Log(1-o.cfg.FailureRatio)
}

func (p *Peer) tallies() (t tallies) {
	t.own = p.counts()
	for _, q := range p.all.peers {
		if q != p {
			c := q.counts()
			t.rest.good += c.good
			t.rest.bad += c.bad
		}
	}
	return t
}

// restart ends the run; the others' answers in it count as known from now on.
func (p *Peer) restart(now tallies) {
	rest := now.rest.since(p.began.rest)
	p.before.good += rest.good
	p.before.bad += rest.bad
	if n := p.before.sum(); n > known {
		p.before.good *= known / n
		p.before.bad *= known / n
	}
	p.began, p.carry = now, 0
}

func (p *Peer) counts() counts {
	return counts{good: float64(p.good.Load()), bad: float64(p.bad.Load())}
}

func (c counts) sum() float64 { return c.good + c.bad }

// since returns the counts that were added since then, never negative: endpoints that
// left took their counts along.
func (c counts) since(then counts) counts {
	return counts{good: max(0, c.good-then.good), bad: max(0, c.bad-then.bad)}
}

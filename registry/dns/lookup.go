package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

const (
	// maxQuestions bounds what one set may rest on.
	maxQuestions = 512
	// maxAsking bounds how many questions a look-up asks at a time, each with a
	// socket of its own.
	maxAsking = 16
	// resolutionDelay is how long a set that can serve waits for answers that would
	// complete it: those of the other address family, or of other SRV targets. Source:
	// RFC 8305, section 3.
	resolutionDelay = 50 * time.Millisecond
)

// answer is what is known of a question.
type answer struct {
	reply                 // the last one; "none" as long as there was none
	err     error         // why the question failed last time, nil if it was answered
	fails   int           // how often in a row
	asked   lift.Instant  // before the question: time on the way, and a freeze there, count
	life    time.Duration // from asked on; after a failure, until the next try
	arrived bool          // since the last set: it counts, however old it is by now
	used    bool          // by the last view
}

func (a *answer) left(now lift.Instant) time.Duration { return a.life - now.Age(a.asked) }

// lookup is one watch's memory: every question's answer is kept until it expires, so
// that each is asked again by its own TTL, and after that until there is a new one.
//
// Only the watch's goroutine touches it. Each question is asked by a goroutine of its
// own, which knows nothing but its question and sends what came of it to arrivals. A
// set is a function of what is known (see view), worked out anew with each arrival: so
// no order of arrivals can make a difference to the set in the end.
type lookup struct {
	r        *Registry
	conf     conf
	known    map[question]*answer
	asking   map[question]bool
	arrivals chan arrival
	work     sync.WaitGroup
	jitter   float64
	routes   map[netip.Addr]bool // what Reachable said during this look-up
}

// arrival is what came of a question.
type arrival struct {
	question
	reply
	asked lift.Instant
	err   error
}

func (r *Registry) newLookup() *lookup {
	return &lookup{r: r, known: make(map[question]*answer), asking: make(map[question]bool), arrivals: make(chan arrival)}
}

// resolve returns the set and for how long it holds, by what is still known and what
// it has to ask. It waits until the set can serve, and then for resolutionDelay at most
// for what would complete it. What comes later than that is taken by [Registry.wait],
// and belongs to the next set.
func (l *lookup) resolve(ctx context.Context, name string) ([]lift.Endpoint, time.Duration, error) {
	if err := CheckName(name); err != nil {
		return nil, 0, fmt.Errorf("DNS name %q: %w", name, err)
	}
	var err error
	if l.conf, err = l.r.conf(); err != nil {
		return nil, 0, err
	}
	l.jitter = 0.9 + 0.1*l.r.random() // one for all that this look-up asks, so that what expires together is asked together
	l.routes = make(map[netip.Addr]bool)
	began := l.r.Now() // what is fresh now stays so until the end, or a short TTL could have it asked for ever
	var delay <-chan time.Time
	for late := false; ; {
		v := l.view(began, name)
		if v.err != nil {
			l.failed()
			return nil, 0, v.err
		}
		l.ask(ctx, v.missing)
		switch {
		case v.waits:
		case late || !v.partial:
			return v.set, l.settle(v.missing), nil
		case delay == nil:
			delay = time.After(resolutionDelay)
		}
		select {
		case a := <-l.arrivals:
			l.take(a)
		case <-delay:
			late = true
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// settle ends a look-up that found a set: what it did not use is forgotten. It returns
// how long the set holds. Questions that are open do not shorten that: the next arrival
// ends it.
func (l *lookup) settle(open []question) time.Duration {
	now, life := l.r.Now(), l.r.MaxTTL
	for q, a := range l.known {
		a.arrived = false
		switch {
		case !a.used:
			delete(l.known, q)
		case !slices.Contains(open, q):
			life = min(life, a.left(now))
		}
	}
	return max(life, 0)
}

// failed ends a look-up that failed: the next one asks again what failed, and when that
// is, is up to the watch. What was not used is kept for then, within bounds.
func (l *lookup) failed() {
	for q, a := range l.known {
		a.arrived = false
		if a.err != nil {
			a.life = 0
		}
		if !a.used && len(l.known) > 2*maxQuestions {
			delete(l.known, q)
		}
	}
}

// take notes what came of a question. Where it failed, the last reply stays.
func (l *lookup) take(got arrival) {
	delete(l.asking, got.question)
	a := l.known[got.question]
	if a == nil {
		a = &answer{reply: reply{none: true}}
		l.known[got.question] = a
	}
	a.arrived, a.err = true, got.err
	if got.err == nil {
		a.reply, a.fails, a.asked, a.life = got.reply, 0, got.asked, l.life(got.reply)
		return
	}
	a.fails++
	a.asked, a.life = l.r.Now(), l.r.backoff(a.fails, true)
}

// ask has the questions asked that are not being asked already, as many as may be at a
// time. The others' turn comes with the next arrival.
func (l *lookup) ask(ctx context.Context, questions []question) {
	for _, q := range questions {
		if l.asking[q] || len(l.asking) >= maxAsking {
			continue
		}
		l.asking[q] = true
		how := l.conf
		l.work.Go(func() {
			got := l.r.fetch(ctx, how, q)
			select {
			case l.arrivals <- got:
			case <-ctx.Done():
			}
		})
	}
}

// fetch asks a question, from alias to alias. It runs in a goroutine of its own and
// contains panics, which would end the process.
func (r *Registry) fetch(ctx context.Context, how conf, q question) (got arrival) {
	got = arrival{question: q, asked: r.Now()}
	defer func() {
		if p := recover(); p != nil {
			got.err = fmt.Errorf("DNS: %s: panic, contained: %v", q, p)
		}
	}()
	at, ttl := q, time.Duration(-1)
	for range maxAliases {
		answered, err := r.exchange(ctx, how, at)
		if err != nil {
			got.err = err
			return got
		}
		if ttl >= 0 && answered.ttl >= 0 {
			answered.hold(ttl)
		}
		if answered.more == "" {
			got.reply = answered
			return got
		}
		ttl, at.name = answered.ttl, strings.ToLower(answered.more)
	}
	got.err = fmt.Errorf("DNS: %s: %w", q, errLoop)
	return got
}

// life is for how long a reply holds: its TTL within bounds, less up to a tenth
// at random, so that clients do not refresh in step.
func (l *lookup) life(r reply) time.Duration {
	ttl := r.ttl
	if r.none {
		if ttl < 0 {
			ttl = noSOA
		}
		ttl = min(ttl, maxNegative)
	}
	ttl = time.Duration(float64(min(ttl, l.r.MaxTTL)) * l.jitter)
	return max(ttl, l.r.MinTTL)
}

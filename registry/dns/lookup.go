package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
)

// maxQuestions bounds what one look-up may ask.
const maxQuestions = 512

// answer is a reply, and for how long it holds.
type answer struct {
	reply
	asked lift.Instant
	life  time.Duration
	used  bool
}

func (a *answer) left(now lift.Instant) time.Duration { return a.life - now.Age(a.asked) }

// lookup is one watch's memory: every question's answer is kept until it
// expires, so that each is asked by its own TTL.
type lookup struct {
	r      *Registry
	conf   conf
	known  map[question]*answer
	asked  int
	jitter float64
}

// resolve returns the set and for how long it holds, by what is still known and
// what it has to ask.
func (l *lookup) resolve(ctx context.Context, name string) ([]lift.Endpoint, time.Duration, error) {
	if err := CheckName(name); err != nil {
		return nil, 0, fmt.Errorf("DNS name %q: %w", name, err)
	}
	var err error
	if l.conf, err = l.r.conf(); err != nil {
		return nil, 0, err
	}
	l.asked = 0
	l.jitter = 0.9 + 0.1*l.r.random() // one for all that this look-up asks, so that what expires together is asked together
	for _, a := range l.known {
		a.used = false
	}
	set := []lift.Endpoint{}
	for _, full := range l.conf.names(name) {
		found, ok, err := l.one(ctx, full)
		if err != nil {
			// Not the next name: another's set is worse than an old one.
			return nil, 0, err
		}
		if ok {
			set = found
			break
		}
	}
	now, life := l.r.Now(), l.r.MaxTTL
	for q, a := range l.known {
		if !a.used {
			delete(l.known, q)
			continue
		}
		life = min(life, a.left(now))
	}
	return set, max(life, 0), nil
}

// one looks a full name up. ok is false if there is none.
func (l *lookup) one(ctx context.Context, name string) (set []lift.Endpoint, ok bool, err error) {
	if l.r.Type != Service {
		addrs, err := l.addresses(ctx, name)
		if err != nil {
			return nil, false, err
		}
		var shares []share
		for _, a := range addrs {
			shares = append(shares, share{addr: netip.AddrPortFrom(a, uint16(l.r.Port))}) //nolint:gosec // checked where it is read
		}
		return endpoints(shares), len(addrs) > 0, nil
	}
	a, err := l.ask(ctx, question{name, miekg.TypeSRV})
	if err != nil {
		return nil, false, err
	}
	for _, group := range byPriority(a.targets) {
		var shares []share
		for _, t := range group {
			addrs := routed(slices.Clone(a.extra[t.name]), l.r.Reachable)
			if len(addrs) == 0 {
				if addrs, err = l.addresses(ctx, t.name); err != nil {
					return nil, false, err
				}
			}
			shares = append(shares, spread(t, addrs)...)
		}
		if len(shares) > 0 {
			return endpoints(shares), true, nil
		}
	}
	return []lift.Endpoint{}, len(a.targets) > 0, nil
}

// addresses returns the A and AAAA records of a name. Where A answers and AAAA
// does not, as with some broken servers, the AAAA records stay as they were.
func (l *lookup) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	q4, q6 := question{name, miekg.TypeA}, question{name, miekg.TypeAAAA}
	v4, err := l.ask(ctx, q4)
	if err != nil || v4.nobody {
		return nil, err
	}
	v6, err := l.ask(ctx, q6)
	if err != nil {
		if ctx.Err() != nil || len(v4.addrs) == 0 {
			return nil, err
		}
		v6 = l.keep(q6)
	}
	return routed(slices.Concat(v4.addrs, v6.addrs), l.r.Reachable), nil
}

// keep makes what was known last hold on for a while.
func (l *lookup) keep(q question) *answer {
	a := l.known[q]
	if a == nil {
		a = &answer{reply: reply{none: true}}
		l.known[q] = a
	}
	a.asked, a.life, a.used = l.r.Now(), l.r.backoff(10, true), true
	return a
}

// ask returns what is known, or asks, from alias to alias.
func (l *lookup) ask(ctx context.Context, q question) (*answer, error) {
	asked := l.r.Now() // before: time on the way, and a freeze there, count
	if a := l.known[q]; a != nil && a.left(asked) > 0 {
		a.used = true
		return a, nil
	}
	at, ttl := q, time.Duration(-1)
	for range maxAliases {
		if l.asked++; l.asked > maxQuestions {
			return nil, fmt.Errorf("DNS: %s takes more than %d questions; name fewer targets, or send their addresses along", q, maxQuestions)
		}
		got, err := l.r.exchange(ctx, l.conf, at)
		if err != nil {
			return nil, err
		}
		if ttl >= 0 && got.ttl >= 0 {
			got.hold(ttl)
		}
		if got.more == "" {
			a := &answer{reply: got, asked: asked, life: l.life(got), used: true}
			l.known[q] = a
			return a, nil
		}
		ttl, at.name = got.ttl, strings.ToLower(got.more)
	}
	return nil, fmt.Errorf("DNS: %s: %w", q, errLoop)
}

// life is for how long a reply holds: its TTL within bounds, less up to a tenth
// at random, so that many who asked at the same moment do not again.
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

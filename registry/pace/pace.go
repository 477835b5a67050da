package pace

import (
	"context"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// lately is for how long a hint that the service is needed holds.
const lately = 10 * time.Second

// Config is what a [Pace] is made from. All of it is required but Freezes.
type Config struct {
	// Limit is how long one question can take. A longer one has a freeze inside.
	Limit time.Duration
	// Freezes says that this process may be frozen at any time. Then questions
	// wait until the service is needed, and without need there is no timer.
	Freezes bool
	// Now reads the clocks.
	Now func() lift.Instant
	// Rand gives random bits.
	Rand func() uint64
}

// Pace is the pace of one watch. Its methods are for the goroutine that watches,
// but for [Pace.Need], which is for any.
type Pace struct {
	cfg   Config
	asked lift.Instant // when the last question was put
	wake  chan struct{}

	mu      sync.Mutex
	needed  lift.Instant // when it was needed last
	waiting lift.Instant // since when a question is out, zero if none is
	cancel  context.CancelFunc
}

// New returns the pace of a watch that begins now, as one that is needed.
func New(cfg Config) *Pace {
	return &Pace{cfg: cfg, wake: make(chan struct{}, 1), needed: cfg.Now()}
}

// Begin notes that a question is put now, and what gives it up. [Pace.End] is its
// end. It returns the moment.
func (p *Pace) Begin(cancel context.CancelFunc) lift.Instant {
	p.asked = p.cfg.Now()
	p.out(p.asked, cancel)
	return p.asked
}

// End notes that the question has been answered, or given up.
func (p *Pace) End() { p.out(lift.Instant{}, nil) }

func (p *Pace) out(since lift.Instant, cancel context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting, p.cancel = since, cancel
}

// Mark has the next wait count from now and not from the last question, and
// returns the moment.
func (p *Pace) Mark() lift.Instant {
	p.asked = p.cfg.Now()
	return p.asked
}

// Straddled reports whether a freeze lay inside the last question: how it ended
// then says nothing of who was asked.
func (p *Pace) Straddled() bool {
	if !p.cfg.Freezes {
		return false
	}
	now := p.cfg.Now()
	return now.Straddles(p.asked) || p.tooLong(now, p.asked)
}

// tooLong reports whether a question has been out for longer than any can be
// without a freeze inside.
func (p *Pace) tooLong(now, since lift.Instant) bool {
	return now.Age(since) > p.cfg.Limit+lift.FreezeGap
}

// Due returns when life has passed since the last question and, where environments
// freeze, the service is needed; or when ctx has ended.
func (p *Pace) Due(ctx context.Context, life time.Duration) {
	for ctx.Err() == nil {
		now := p.cfg.Now()
		left := life - now.Age(p.asked)
		p.mu.Lock()
		wanted := !p.cfg.Freezes || now.Age(p.needed) < lately
		p.mu.Unlock()
		if wanted && left <= 0 {
			return
		}
		p.sleep(ctx, left, wanted)
	}
}

// sleep returns after d, if it is timed, when it is woken, or when ctx has ended.
func (p *Pace) sleep(ctx context.Context, d time.Duration, timed bool) {
	var rings <-chan time.Time
	if timed {
		t := time.NewTimer(d)
		defer t.Stop()
		rings = t.C
	}
	select {
	case <-rings:
	case <-p.wake:
	case <-ctx.Done():
	}
}

// Need notes that the service is in use. A question that a freeze has cut in two is
// given up, as its answer may never come. It does not block; safe for concurrent
// use.
func (p *Pace) Need() {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.needed = now
	if p.cancel != nil && p.tooLong(now, p.waiting) {
		p.cancel()
	}
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Backoff is the wait after the nth failure in a row: 1 s, doubled up to 30 s, half
// of it random, so that many do not come back at the same moment. While no set has
// been told yet it is 5 s at most, for calls wait for it.
func (p *Pace) Backoff(n int, told bool) time.Duration {
	most := 30 * time.Second
	if !told {
		most = 5 * time.Second
	}
	d := min(time.Second<<min(n-1, 10), most)
	return p.Spread(d/2, d/2)
}

// Spread is least and up to more, at random.
func (p *Pace) Spread(least, more time.Duration) time.Duration {
	return least + time.Duration(float64(p.cfg.Rand()>>11)/(1<<53)*float64(more))
}

package pace

import (
	"context"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// lately is how long a hint that the service is needed is valid.
const lately = 10 * time.Second

// Config is what a [Pace] is made from. All fields except Freezes are required.
type Config struct {
	// Limit is how long one question can take. If one takes longer, a freeze lies
	// inside.
	Limit time.Duration
	// Freezes says that this process may be frozen at any time. Questions then wait
	// until the service is needed, and no timer runs while it is not.
	Freezes bool
	// Now reads the clocks.
	Now func() lift.Instant
	// Rand gives random bits.
	Rand func() uint64
}

// Pace is the pace of one watch. Only the watching goroutine may call its methods,
// except for [Pace.Need], which is safe for concurrent use.
type Pace struct {
	cfg   Config
	asked lift.Instant // when the last question was sent
	wake  chan struct{}

	mu      sync.Mutex
	needed  lift.Instant // when it was needed last
	waiting lift.Instant // when the question that is running was sent; zero if none is running
	cancel  context.CancelFunc
}

// New returns the pace of a watch that begins now. Its service counts as needed.
func New(cfg Config) *Pace {
	return &Pace{cfg: cfg, wake: make(chan struct{}, 1), needed: cfg.Now()}
}

// Begin notes that a question is sent now, and how to cancel it. Call [Pace.End] when
// it has ended. Begin returns the time.
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

// Mark makes the next wait count from now, not from the last question, and returns the
// time.
func (p *Pace) Mark() lift.Instant {
	p.asked = p.cfg.Now()
	return p.asked
}

// Straddled reports whether a freeze lay inside the last question. The question's
// result then says nothing about the source.
func (p *Pace) Straddled() bool {
	if !p.cfg.Freezes {
		return false
	}
	now := p.cfg.Now()
	return now.Straddles(p.asked) || p.tooLong(now, p.asked)
}

// tooLong reports whether a question has been running for longer than is possible
// without a freeze.
func (p *Pace) tooLong(now, since lift.Instant) bool {
	return now.Age(since) > p.cfg.Limit+lift.FreezeGap
}

// Due returns when life has passed since the last question and, where environments
// freeze, the service is needed. It also returns when ctx has ended.
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

// sleep returns after d (if timed is set), when it is woken, or when ctx has ended.
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

// Need notes that the service is in use. It cancels a question that a freeze
// interrupted, because its answer may never come. It does not block and is safe for
// concurrent use.
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

// Backoff is the wait after the nth failure in a row: 1 s, doubled up to 30 s, half of
// it random, so that clients do not retry in step. Before the first set it is at most 5
// s, because calls wait for that set.
func (p *Pace) Backoff(n int, told bool) time.Duration {
	most := 30 * time.Second
	if !told {
		most = 5 * time.Second
	}
	d := min(time.Second<<min(n-1, 10), most)
	return p.Spread(d/2, d/2)
}

// Spread returns a random duration between least and least + more.
func (p *Pace) Spread(least, more time.Duration) time.Duration {
	return least + time.Duration(float64(p.cfg.Rand()>>11)/(1<<53)*float64(more))
}

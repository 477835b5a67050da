package resilience_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

var (
	fine     = step{status: 200, outcome: lift.OK, reached: lift.Answered}
	sick     = step{status: 500, outcome: lift.Failed, reached: lift.Answered}
	full     = step{status: 503, outcome: lift.Overloaded, reached: lift.Answered}
	wrong    = step{status: 404, outcome: lift.CallerFault, reached: lift.Answered}
	refused  = step{err: errors.New("refused"), outcome: lift.Failed}
	lost     = step{err: errors.New("reset"), outcome: lift.Failed, reached: lift.MayHaveActed}
	frozen   = step{err: errors.New("timeout"), outcome: lift.Straddled, reached: lift.MayHaveActed}
	cutShort = step{err: errors.New("deadline"), outcome: lift.CutShort, reached: lift.MayHaveActed}
	gone     = step{err: errNobody}
)

func big() uint64 { return ^uint64(0) >> 1 }

func retried(cfg resilience.RetryConfig, s *script) lift.Caller {
	return lift.Stack(s, resilience.Retry(cfg, resilience.NewBudget(cfg.Budget, lift.Now), nil, lift.Now, big))
}

func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		steps  []step
		status int // 0: an error
		tries  int
	}{
		{"well at once", "GET", []step{fine}, 200, 1},
		{"second endpoint", "GET", []step{lost, fine}, 200, 2},
		{"third endpoint", "GET", []step{sick, full, fine}, 200, 3},
		{"three is the most", "GET", []step{sick, sick, sick, fine}, 500, 3},
		{"a POST that reached nobody", "POST", []step{refused, fine}, 200, 2},
		{"a POST that may have acted", "POST", []step{lost, fine}, 0, 1},
		{"a POST that was answered", "POST", []step{full, fine}, 503, 1},
		{"the caller's fault", "GET", []step{wrong, fine}, 404, 1},
		{"after a freeze", "GET", []step{frozen, fine}, 200, 2},
		{"a POST after a freeze", "POST", []step{frozen, fine}, 0, 1},
		{"no time left", "GET", []step{cutShort, fine}, 0, 1},
		{"nowhere to go", "GET", []step{gone}, 0, 0},
		{"nowhere else to go", "GET", []step{full, gone}, 503, 1},
		{"nowhere else to go after an error", "GET", []step{lost, gone}, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: tt.steps}
				c := &lift.Call{Method: tt.method, Began: lift.Now()}
				resp, err := retried(resilience.RetryConfig{}, s).Call(c)
				if s.seen != tt.tries || c.Tries() != tt.tries {
					t.Errorf("%d attempts, want %d", s.seen, tt.tries)
				}
				if tt.status == 0 && err == nil || tt.status != 0 && (err != nil || resp.Status != tt.status) {
					t.Errorf("got %+v, %v", resp, err)
				}
			})
		})
	}
}

func TestRetryWaitsWithFullJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, _ = retried(resilience.RetryConfig{}, &script{steps: []step{sick}}).Call(&lift.Call{Began: lift.Now()})
		// The random bits are one short of a full turn: nearly [0,25) and [0,75) ms in full, modulo.
		if d := time.Since(start); d >= 100*time.Millisecond || d == 0 {
			t.Errorf("waited %v, want less than 100ms in all", d)
		}
		start = time.Now()
		_, _ = retried(resilience.RetryConfig{}, &script{steps: []step{refused}}).Call(&lift.Call{Began: lift.Now()})
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v though nobody was reached", d)
		}
	})
}

// Who has too much to do is given time, though nothing ran: another endpoint of the
// same service would say the same at once.
func TestRetryOfAThrottledCallWaits(t *testing.T) {
	for outcome, waits := range map[lift.Outcome]bool{lift.Failed: false, lift.Overloaded: true} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			s := &script{steps: []step{{status: 429, outcome: outcome}, fine}}
			resp, err := retried(resilience.RetryConfig{}, s).Call(&lift.Call{Method: "POST", Began: lift.Now()})
			if err != nil || resp.Status != 200 || (time.Since(began) > 0) != waits {
				t.Errorf("%s: %v after %s", outcome, err, time.Since(began))
			}
		})
	}
}

func TestRetryStaysInsideTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := sick
		slow.takes = 40 * time.Millisecond
		s := &script{steps: []step{slow}}
		c := &lift.Call{Began: lift.Now(), Deadline: time.Now().Add(40 * time.Millisecond)}
		if _, err := retried(resilience.RetryConfig{}, s).Call(c); err != nil || s.seen != 1 {
			t.Errorf("%d attempts, %v; the deadline leaves time for one", s.seen, err)
		}
	})
}

func TestRetryEndsWhenTheCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{sick}}
		c := &lift.Call{Began: lift.Now()}
		cfg := resilience.RetryConfig{Backoff: time.Hour, BackoffMax: time.Hour}
		time.AfterFunc(time.Second, func() { c.Cancel(nil) })
		start := time.Now()
		_, _ = retried(cfg, s).Call(c)
		if s.seen != 1 || time.Since(start) != time.Second {
			t.Errorf("%d attempts in %v, want one and an end at the cancel", s.seen, time.Since(start))
		}
	})
}

func TestRetryNotOnceTheBodyIsSpilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := lift.StreamBody(io.NopCloser(strings.NewReader("too long")), -1, 4)
		r, err := body.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		s := &script{steps: []step{refused, fine}}
		if _, err := retried(resilience.RetryConfig{}, s).Call(&lift.Call{Body: body, Began: lift.Now()}); err == nil {
			t.Error("a request whose body is gone was sent again")
		}
	})
}

// A live answer is given up only once the next attempt has an endpoint, and before
// anything is sent to it.
func TestRetryKeepsALiveAnswer(t *testing.T) {
	streamed := full
	streamed.live = true
	for name, tt := range map[string]struct {
		steps  []step
		status int
		body   string
	}{
		"nowhere else to go":       {[]step{streamed, gone}, 503, "10.0.0.1:80"},
		"nowhere after the second": {[]step{streamed, streamed, gone}, 503, "10.0.0.2:80"},
		"three is the most":        {[]step{streamed}, 503, "10.0.0.3:80"},
		"another serves":           {[]step{streamed, fine}, 200, "10.0.0.2:80"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{steps: tt.steps}
			resp, err := retried(resilience.RetryConfig{}, s).Call(&lift.Call{Began: lift.Now()})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if body, err := resp.Body.ReadAll(0); resp.Status != tt.status || string(body) != tt.body || err != nil || s.open != 0 {
				t.Errorf("%s: %d %q, %v; %d answers are left open", name, resp.Status, body, err, s.open)
			}
		})
	}
}

// What an endpoint asks for is waited for, or left be where there is no time; what
// it says over HTTP holds for itself alone.
func TestRetryAfter(t *testing.T) {
	asks := func(st step, d time.Duration) step { st.asks = d; return st }
	pushback := asks(full, 300*time.Millisecond)
	pushback.grpc = "8"
	for name, tt := range map[string]struct {
		first     step
		elsewhere bool
		left      time.Duration
		tries     int
		took      time.Duration
	}{
		"one endpoint":                   {asks(full, 300*time.Millisecond), false, time.Second, 2, 300 * time.Millisecond},
		"one endpoint, no deadline":      {asks(full, 4*time.Second), false, 0, 2, 4 * time.Second},
		"one endpoint, no time":          {asks(full, time.Second), false, time.Second, 1, 0},
		"at once":                        {asks(full, 1), false, time.Second, 2, 1},
		"not again":                      {asks(full, -1), true, time.Second, 1, 0},
		"another endpoint":               {asks(full, time.Hour), true, time.Second, 2, 7 * time.Millisecond},
		"another endpoint, but pushback": {pushback, true, time.Second, 2, 300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{steps: []step{tt.first, fine}}
			budget := resilience.NewBudget(resilience.BudgetConfig{Burst: 1}, lift.Now)
			retry := resilience.Retry(resilience.RetryConfig{}, budget, func(*lift.Call) bool { return tt.elsewhere }, lift.Now, func() uint64 { return uint64(7*time.Millisecond) << 1 })
			c := &lift.Call{Began: lift.Now()}
			if tt.left > 0 {
				c.Deadline = c.Began.Wall.Add(tt.left)
			}
			began := time.Now()
			_, err := lift.Stack(s, retry).Call(c)
			if err != nil || s.seen != tt.tries || time.Since(began) != tt.took {
				t.Errorf("%s: %d tries in %s, %v", name, s.seen, time.Since(began), err)
			}
			if paid := !budget.Withdraw(); paid != (tt.tries > 1) {
				t.Errorf("%s: a retry was paid for: %v", name, paid)
			}
		})
	}
}

func BenchmarkRetryWell(b *testing.B) {
	ok := &lift.Response{Status: 200}
	base := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		c.NewAttempt(lift.AttemptRecord{Outcome: lift.OK})
		return ok, nil
	})
	budget := resilience.NewBudget(resilience.BudgetConfig{}, lift.Now)
	caller := lift.Stack(base, resilience.Retry(resilience.RetryConfig{}, budget, nil, lift.Now, big))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = caller.Call(&lift.Call{Began: lift.Now()})
	}
}

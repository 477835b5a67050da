package resilience_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

func TestDeadline(t *testing.T) {
	c := newClock()
	at := func(d time.Duration) time.Time { return c.at.Wall.Add(d) }
	for _, tt := range []struct {
		name       string
		own        time.Duration // 0: none
		timeout    time.Duration // the call's own
		invocation time.Duration // 0: none
		want       time.Duration
		refused    bool
	}{
		{name: "the service's", want: 2 * time.Second},
		{name: "the call's own", own: time.Second, want: time.Second},
		{name: "a later own one does not lengthen", own: time.Minute, want: 2 * time.Second},
		{name: "unless the call says how long", own: time.Minute, timeout: 5 * time.Second, want: 5 * time.Second},
		{name: "the invocation's, with time to answer", invocation: time.Second, want: 950 * time.Millisecond},
		{name: "a short invocation's", invocation: 100 * time.Millisecond, want: 90 * time.Millisecond},
		{name: "a stale invocation neither shortens nor refuses", invocation: -time.Minute, want: 2 * time.Second},
		{name: "a stale invocation beside the call's own", own: time.Second, invocation: -time.Minute, want: time.Second},
		{name: "the call's own beside the invocation's", own: 1500 * time.Millisecond, invocation: time.Second, want: 1500 * time.Millisecond},
		{name: "an own one that is the invocation's end", own: time.Second, invocation: time.Second, want: 950 * time.Millisecond},
		{name: "the same, rounded on its way", own: 1002 * time.Millisecond, invocation: time.Second, want: 950 * time.Millisecond},
		{name: "an own one inside the time to answer", own: 970 * time.Millisecond, invocation: time.Second, want: 950 * time.Millisecond},
		{name: "an own one before it", own: 900 * time.Millisecond, invocation: time.Second, want: 900 * time.Millisecond},
		{name: "one that has passed", own: -time.Second, refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got time.Time
			base := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				got = c.Deadline
				return &lift.Response{}, nil
			})
			invocation := func() time.Time {
				if tt.invocation == 0 {
					return time.Time{}
				}
				return at(tt.invocation)
			}
			call := &lift.Call{Began: c.at, Timeout: tt.timeout}
			if tt.own != 0 {
				call.Deadline = at(tt.own)
			}
			_, err := lift.Stack(base, resilience.Deadline(2*time.Second, c.now, invocation)).Call(call)
			if tt.refused {
				if !errors.Is(err, lift.DeadlineExceeded) || !got.IsZero() {
					t.Fatalf("got %v, sent %v; want a refusal", err, !got.IsZero())
				}
				return
			}
			if err != nil || !got.Equal(at(tt.want)) {
				t.Errorf("deadline in %v, %v; want %v", got.Sub(c.at.Wall), err, tt.want)
			}
		})
	}
}

func TestAttemptTimeout(t *testing.T) {
	c := newClock()
	const service = 2 * time.Second
	for _, tt := range []struct {
		name    string
		set     time.Duration // attempt_timeout; 0: not set
		own     time.Duration // the call's timeout; 0: none
		left    time.Duration // until the call's deadline
		want    time.Duration
		cut     bool
		hurried bool
	}{
		{name: "half of the service's", left: 2 * time.Second, want: time.Second},
		{name: "as much as the call has", left: time.Second, want: time.Second},
		{name: "more than the call has", left: 300 * time.Millisecond, want: 300 * time.Millisecond, cut: true},
		{name: "half of the call's own", own: 10 * time.Second, left: 10 * time.Second, want: 5 * time.Second},
		{name: "half of the whole, for a later attempt too", own: 10 * time.Second, left: 6 * time.Second, want: 5 * time.Second},
		{name: "a deadline before that", own: 10 * time.Second, left: 3 * time.Second, want: 3 * time.Second, cut: true},
		{name: "half of a short one", own: 400 * time.Millisecond, left: 400 * time.Millisecond, want: 200 * time.Millisecond, hurried: true},
		{name: "the service's, said by the call", own: service, left: service, want: time.Second},
		{name: "set", set: 700 * time.Millisecond, left: 2 * time.Second, want: 700 * time.Millisecond},
		{name: "set, and a call that has longer", set: 700 * time.Millisecond, own: 10 * time.Second, left: 10 * time.Second, want: 700 * time.Millisecond},
		{name: "set, and a call that has less", set: 700 * time.Millisecond, own: 400 * time.Millisecond, left: 400 * time.Millisecond, want: 400 * time.Millisecond, cut: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			call := &lift.Call{Deadline: c.at.Wall.Add(tt.left), Timeout: tt.own}
			a := call.NewAttempt(lift.AttemptRecord{Began: c.at})
			base := lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) { return &lift.Response{}, nil })
			_, _ = lift.StackAttempt(base, resilience.AttemptTimeout(tt.set, service)).RoundTrip(a)
			if got := a.Deadline.Sub(c.at.Wall); got != tt.want || a.Cut() != tt.cut || a.Hurried != tt.hurried {
				t.Errorf("cut in %v (by the call: %v, hurried: %v), want %v, %v, %v", got, a.Cut(), a.Hurried, tt.want, tt.cut, tt.hurried)
			}
		})
	}
}

// What runs out of a time that its caller made short may be tried elsewhere, and says
// nothing against the endpoint; a freeze still explains more.
func TestHurriedAttemptsAreCutShort(t *testing.T) {
	c := newClock()
	call := &lift.Call{Began: c.at, Deadline: c.at.Wall.Add(400 * time.Millisecond), Timeout: 400 * time.Millisecond}
	a := call.NewAttempt(lift.AttemptRecord{Began: c.at})
	_, _ = lift.StackAttempt(lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) { return &lift.Response{}, nil }),
		resilience.AttemptTimeout(0, 2*time.Second)).RoundTrip(a)
	c.run(200 * time.Millisecond)
	for code, want := range map[lift.Code]lift.Outcome{
		lift.AttemptTimeout: lift.CutShort, lift.Unavailable: lift.Failed, lift.BadResponse: lift.Failed,
	} {
		if got := resilience.Classify(a, c.at, &lift.Error{Code: code}); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
	c.freeze(time.Minute)
	if got := resilience.Classify(a, c.at, &lift.Error{Code: lift.AttemptTimeout}); got != lift.Straddled {
		t.Errorf("after a freeze: %s", got)
	}
}

func TestClassify(t *testing.T) {
	fail := func(code lift.Code) error { return &lift.Error{Code: code} }
	for _, tt := range []struct {
		name   string
		status int
		err    error
		ran    time.Duration // both clocks
		froze  time.Duration // the wall clock alone
		left   time.Duration // of the call when the attempt began; 0: no deadline
		want   lift.Outcome
	}{
		{name: "200", status: 200, want: lift.OK},
		{name: "304", status: 304, want: lift.OK},
		{name: "404", status: 404, want: lift.CallerFault},
		{name: "429", status: 429, want: lift.Overloaded},
		{name: "500", status: 500, want: lift.Failed},
		{name: "501", status: 501, want: lift.CallerFault},
		{name: "503", status: 503, want: lift.Overloaded},
		{name: "504", status: 504, want: lift.Failed},
		{name: "reset", err: fail(lift.Unavailable), want: lift.Failed},
		{name: "garbage", err: fail(lift.BadResponse), want: lift.Failed},
		{name: "timeout", err: fail(lift.AttemptTimeout), ran: time.Second, want: lift.Failed},
		{name: "the call's deadline", err: fail(lift.DeadlineExceeded), ran: 300 * time.Millisecond, left: 300 * time.Millisecond, want: lift.CutShort},
		{name: "canceled", err: fail(lift.CallCanceled), want: lift.Canceled},
		{name: "frozen, monotonic time stood still", err: fail(lift.Unavailable), froze: time.Minute, want: lift.Straddled},
		{name: "frozen, monotonic time ran on", err: fail(lift.AttemptTimeout), ran: time.Minute, left: 2 * time.Second, want: lift.Straddled},
		{name: "frozen but answered", status: 200, froze: time.Minute, want: lift.OK},
		{name: "a bug of ours", err: fail(lift.Internal), want: lift.Canceled},
		{name: "a limit of ours", err: fail(lift.Busy), want: lift.Limited},
		{name: "the call's deadline, later than the attempt's timeout", err: fail(lift.DeadlineExceeded), ran: 2 * time.Second, left: 2 * time.Second, want: lift.CutShort},
		{name: "a bad request", err: fail(lift.InvalidCall), want: lift.CallerFault},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			call := &lift.Call{Began: c.at}
			if tt.left > 0 {
				call.Deadline = c.at.Wall.Add(tt.left)
			}
			a := call.NewAttempt(lift.AttemptRecord{Began: c.at, Status: tt.status, Timeout: time.Second, Deadline: call.Deadline})
			if end := c.at.Wall.Add(time.Second); a.Deadline.IsZero() || end.Before(a.Deadline) {
				a.Deadline = end
			}
			c.run(tt.ran)
			c.freeze(tt.froze)
			if got := resilience.Classify(a, c.at, tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A stream that breaks is the endpoint's fault however late it breaks: the attempt's
// timeout ended with the head, so having outlived it says nothing of a freeze.
func TestStreamsThatBreakAreJudged(t *testing.T) {
	broken := &lift.Error{Code: lift.Unavailable}
	for _, tt := range []struct {
		name     string
		err      error
		grpc     string // the grpc-status in the trailers
		upgraded bool
		left     time.Duration // the call's time at its begin; 0: no deadline
		ran      time.Duration // both clocks, until the stream's end
		froze    time.Duration // the wall clock alone
		want     lift.Outcome
	}{
		{name: "soon after the head", err: broken, left: time.Minute, ran: 500 * time.Millisecond, want: lift.Failed},
		{name: "long after the head", err: broken, left: time.Minute, ran: 5 * time.Second, want: lift.Failed},
		{name: "without a deadline", err: broken, ran: time.Hour, want: lift.Failed},
		{name: "frozen, monotonic time stood still", err: broken, left: time.Minute, ran: time.Second, froze: 5 * time.Second, want: lift.Straddled},
		{name: "frozen, monotonic time ran on past the call's deadline", err: broken, left: 2 * time.Second, ran: time.Minute, want: lift.Straddled},
		{name: "a wall clock set back", err: broken, left: time.Minute, ran: 5 * time.Second, froze: -time.Hour, want: lift.Straddled},
		{name: "read whole, and frozen in the middle", err: &lift.Error{Code: lift.AttemptTimeout}, left: time.Minute, ran: 5 * time.Second, want: lift.Straddled},
		{name: "an upgraded connection, which deadlines let be", err: broken, upgraded: true, left: 2 * time.Second, ran: time.Hour, want: lift.Failed},
		{name: "UNAVAILABLE soon", grpc: "14", left: time.Minute, ran: 500 * time.Millisecond, want: lift.Failed},
		{name: "UNAVAILABLE late", grpc: "14", left: time.Minute, ran: 30 * time.Second, want: lift.Failed},
		{name: "UNAVAILABLE after a freeze", grpc: "14", left: time.Minute, ran: time.Second, froze: 5 * time.Second, want: lift.Straddled},
		{name: "UNAVAILABLE long after the call's deadline", grpc: "14", left: 2 * time.Second, ran: time.Minute, want: lift.Straddled},
		{name: "no grpc-status, late", grpc: "none", ran: 30 * time.Second, want: lift.Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			call := &lift.Call{Began: c.at}
			if tt.left > 0 {
				call.Deadline = c.at.Wall.Add(tt.left)
			}
			a := call.NewAttempt(lift.AttemptRecord{
				Began: c.at, Timeout: time.Second, Deadline: c.at.Wall.Add(time.Second), Status: 200, Reached: lift.Answered, GRPC: tt.grpc,
			})
			if tt.upgraded {
				a.Status = 101
			}
			c.run(tt.ran)
			c.freeze(tt.froze)
			if got := resilience.Classify(a, c.at, tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// TestEnumsAgree: the wire's names are lift's own.
func TestEnumsAgree(t *testing.T) {
	for n, name := range liftv1.Outcome_name {
		want := strings.ToLower(strings.TrimPrefix(name, "OUTCOME_"))
		if n == 0 {
			want = lift.Unjudged.String()
		}
		if got := outcome(liftv1.Outcome(n)).String(); got != want {
			t.Errorf("%s crosses as %s", name, got)
		}
	}
	for n, name := range liftv1.Reached_name {
		want := strings.ToLower(strings.TrimPrefix(name, "REACHED_"))
		if n == 0 {
			want = lift.NotReached.String()
		}
		if got := reached(liftv1.Reached(n)).String(); got != want {
			t.Errorf("%s crosses as %s", name, got)
		}
	}
	if outcome(99) != lift.Unjudged || reached(99) != lift.MayHaveActed || reached(-1) != lift.MayHaveActed {
		t.Error("what is not known is not taken with care")
	}
}

func TestErrorThereAndBack(t *testing.T) {
	began := lift.Now()
	at := lift.Instant{Wall: began.Wall.Add(time.Millisecond), Mono: began.Mono + time.Millisecond}
	e := &lift.Error{
		Code: lift.Unavailable, Service: "orders", Endpoint: "10.0.0.1:80", Reached: lift.MayHaveActed, Err: errors.New("reset\xff"),
		Attempts: []lift.AttemptRecord{
			{Endpoint: lift.Endpoint{ID: "i", Addr: "10.0.0.1:80", Zone: "z"}, Began: at, Ended: lift.Instant{Wall: at.Wall.Add(time.Second), Mono: at.Mono + time.Second}, Timeout: time.Minute, Queued: 3, Sending: 4, Candidates: 3, Why: "least", Probe: true, Fresh: true, Status: 503, Outcome: lift.Overloaded, Reached: lift.Answered, Err: errors.New("503")},
			{Endpoint: lift.Endpoint{Addr: "10.0.0.2:80"}, Began: at},
		},
	}
	bytes, err := proto.Marshal(Error(e, "", began))
	if err != nil {
		t.Fatal(err)
	}
	var w liftv1.Error
	if err := proto.Unmarshal(bytes, &w); err != nil {
		t.Fatal(err)
	}
	got := FromError(&w, began)
	if want := strings.ReplaceAll(e.Error(), "\xff", "\uFFFD"); got.Error() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	a := got.Attempts[0]
	if !a.Endpoint.Equal(e.Attempts[0].Endpoint) || a.Began != at || a.Duration() != time.Second || a.Timeout != time.Minute || a.Queued != 3 || a.Sending != 4 || a.Candidates != 3 || a.Why != "least" || !a.Probe || !a.Fresh || a.Status != 503 || a.Outcome != lift.Overloaded || a.Reached != lift.Answered || a.Err.Error() != "503" {
		t.Errorf("%+v", a)
	}
	if b := got.Attempts[1]; b.Duration() != 0 || b.Err != nil {
		t.Errorf("%+v", b)
	}
}

func TestStatusThereAndBack(t *testing.T) {
	for code, want := range map[lift.Code]codes.Code{
		lift.UnknownService: codes.NotFound, lift.InvalidCall: codes.InvalidArgument, lift.TooLarge: codes.ResourceExhausted,
		lift.Busy: codes.ResourceExhausted, lift.NoEndpoints: codes.Unavailable, lift.AllOpen: codes.Unavailable, lift.Unavailable: codes.Unavailable,
		lift.DeadlineExceeded: codes.DeadlineExceeded, lift.AttemptTimeout: codes.DeadlineExceeded, lift.CallCanceled: codes.Canceled,
		lift.Internal: codes.Internal, lift.BadResponse: codes.Unknown, lift.Misconfigured: codes.FailedPrecondition, "newer": codes.Unknown,
	} {
		err := Status(&lift.Error{Code: code, Service: "s", Reached: lift.MayHaveActed, Err: errors.New("why")}, "s", lift.Now())
		e := FromStatus(err, lift.Now())
		if status.Code(err) != want || e == nil || e.Code != code || e.Reached != lift.MayHaveActed || e.Err.Error() != "why" {
			t.Errorf("%s: %v, %v", code, err, e)
		}
	}
	if e := FromStatus(errors.New("plain"), lift.Now()); e != nil {
		t.Errorf("%v", e)
	}
}

func TestNanos(t *testing.T) {
	now := time.Now().Round(0)
	for _, tt := range []struct {
		in   time.Time
		zero bool
	}{{time.Time{}, true}, {now, false}, {time.Unix(-5, 0), false}, {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), false}} {
		got := Time(Nanos(tt.in))
		if got.IsZero() != tt.zero || (tt.in.Equal(now) && !got.Equal(now)) || (tt.in.After(now) && !got.After(now)) || (!tt.zero && tt.in.Before(now) && !got.Before(now)) {
			t.Errorf("%v crosses as %v", tt.in, got)
		}
	}
}

func TestAgree(t *testing.T) {
	for _, tt := range []struct {
		a, b Versions
		v    uint32
		ok   bool
	}{
		{Versions{0, 0}, Versions{0, 1}, 0, true},
		{Versions{3, 4}, Versions{4, 5}, 4, true},
		{Versions{3, 4}, Versions{5, 6}, 4, false},
		{Versions{1, 9}, Versions{2, 3}, 3, true},
	} {
		for range 2 {
			if v, ok := Agree(tt.a, tt.b); ok != tt.ok || (ok && v != tt.v) {
				t.Errorf("%v and %v: %d, %v", tt.a, tt.b, v, ok)
			}
			tt.a, tt.b = tt.b, tt.a
		}
	}
	if e := Incompatible(Versions{5, 6}, Versions{3, 4}, "sdk", "sidecar"); !strings.Contains(e.Error(), "update the sidecar") {
		t.Error(e)
	}
}

func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Credit
		c.Open(10)
		took := make(chan int, 10)
		var end error
		go func() {
			defer close(took)
			for {
				n, err := c.Take(6)
				if err != nil {
					end = err
					return
				}
				took <- n
			}
		}()
		step := func(what string, want ...int) {
			t.Helper()
			synctest.Wait()
			for _, w := range want {
				select {
				case n := <-took:
					if n != w {
						t.Errorf("%s: took %d, want %d", what, n, w)
					}
				default:
					t.Errorf("%s: took nothing, want %d", what, w)
				}
			}
			if len(took) != 0 {
				t.Errorf("%s: took %d more", what, <-took)
			}
		}
		step("ten bytes of credit", 6, 4)
		_ = c.Grant(6)
		step("two frames still wait in the writer")
		c.Sent()
		step("one has left", 6)
		c.Sent()
		c.Return(2)
		step("unused credit", 2)
		if err := c.Grant(1<<31 - 1); err != nil {
			t.Error(err)
		}
		if err := c.Grant(1); !errors.Is(err, ErrCreditOverflow) {
			t.Errorf("overflow: %v", err)
		}
		c.Abort(io.ErrUnexpectedEOF)
		c.Abort(io.EOF)
		for range took {
		}
		if !errors.Is(end, io.ErrUnexpectedEOF) {
			t.Errorf("ended with %v", end)
		}
	})
}

func TestInbox(t *testing.T) {
	var granted, freed int
	var b Inbox
	b.Open(10, func(n int) { granted += n }, func(n int) { freed += n })
	push := func(s string, kept bool, want error) {
		t.Helper()
		if k, err := b.Push([]byte(s)); k != kept || !errors.Is(err, want) {
			t.Errorf("push %q: %v, %v", s, k, err)
		}
	}
	read := func(n int, want string, wantErr error) {
		t.Helper()
		p := make([]byte, n)
		m, err := b.Read(p)
		if string(p[:m]) != want || !errors.Is(err, wantErr) {
			t.Errorf("read %q, %v; want %q, %v", p[:m], err, want, wantErr)
		}
	}
	push("abcdef", true, nil)
	push("ghijk", false, ErrWindowExceeded)
	push("ghij", true, nil)
	read(4, "abcd", nil)
	if granted != 0 {
		t.Errorf("granted %d before half a window was read", granted)
	}
	read(4, "efgh", nil)
	if granted != 8 || freed != 8 {
		t.Errorf("granted %d, freed %d", granted, freed)
	}
	push("klmnopqr", true, nil)
	b.Finish(io.EOF)
	b.Finish(io.ErrUnexpectedEOF)
	push("x", false, ErrDataAfterEnd)
	read(100, "ijklmnopqr", nil)
	read(1, "", io.EOF)
	if granted != 8 {
		t.Error("granted after the end")
	}
	if !b.Abort(io.ErrClosedPipe) || b.Abort(io.EOF) {
		t.Error("the first abort counts, no other")
	}
	push("x", false, nil)
	read(1, "", io.ErrClosedPipe)
	if freed != 18 {
		t.Errorf("freed %d of 18", freed)
	}
}

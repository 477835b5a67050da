package resilience_test

import (
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

func grpcCall() *lift.Call {
	return &lift.Call{Method: "POST", Header: []lift.Field{{Name: "content-type", Value: "application/grpc+proto"}}}
}

func trailersOnly(fields ...lift.Field) *lift.Response {
	return &lift.Response{Status: 200, Header: fields, Body: lift.BytesBody(nil)}
}

func withTrailer(fields ...lift.Field) *lift.Response {
	b := lift.BytesBody([]byte("message"))
	b.SetTrailer(fields)
	return &lift.Response{Status: 200, Header: []lift.Field{{Name: "content-type", Value: "application/grpc"}}, Body: b}
}

func status(code string) lift.Field { return lift.Field{Name: "grpc-status", Value: code} }

func TestGRPCAnswersAreJudged(t *testing.T) {
	for code, want := range map[string]lift.Outcome{
		"0": lift.OK,
		"1": lift.CallerFault, "3": lift.CallerFault, "5": lift.CallerFault, "6": lift.CallerFault, "7": lift.CallerFault,
		"9": lift.CallerFault, "10": lift.CallerFault, "11": lift.CallerFault, "12": lift.CallerFault, "16": lift.CallerFault,
		"2": lift.Failed, "4": lift.Failed, "13": lift.Failed, "14": lift.Failed, "15": lift.Failed,
		"8":  lift.Overloaded,
		"99": lift.Failed, "none": lift.Failed, "-1": lift.Failed, "": lift.Failed,
	} {
		for where, resp := range map[string]*lift.Response{"head": trailersOnly(status(code)), "trailers": withTrailer(status(code))} {
			a, now := grpcCall().NewAttempt(lift.AttemptRecord{Status: 200, Began: newClock().now()}), newClock().now()
			resilience.ReadGRPC(a, resp, true)
			if got := resilience.Classify(a, now, nil); got != want {
				t.Errorf("grpc-status %q in the %s is %s, want %s", code, where, got, want)
			}
		}
	}
}

func TestGRPCAnswersThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		call   *lift.Call
		resp   *lift.Response
		status int
		ended  bool
		grpc   string
		want   lift.Outcome
	}{
		"no status at the end":    {grpcCall(), withTrailer(), 200, true, "none", lift.Failed},
		"a stream's head":         {grpcCall(), withTrailer(status("13")), 200, false, "", lift.OK},
		"a page of a proxy":       {grpcCall(), trailersOnly(lift.Field{Name: "Content-Type", Value: "text/html"}), 200, true, "none", lift.Failed},
		"503 of a proxy":          {grpcCall(), &lift.Response{Status: 503, Body: lift.BytesBody(nil)}, 503, true, "", lift.Overloaded},
		"404 of a proxy":          {grpcCall(), &lift.Response{Status: 404, Body: lift.BytesBody(nil)}, 404, true, "", lift.CallerFault},
		"502 of a proxy":          {grpcCall(), &lift.Response{Status: 502, Body: lift.BytesBody(nil)}, 502, true, "", lift.Failed},
		"not asked in gRPC":       {&lift.Call{}, trailersOnly(status("13")), 200, true, "", lift.OK},
		"gRPC-Web, framed itself": {&lift.Call{Header: []lift.Field{{Name: "Content-Type", Value: "application/grpc-web+proto"}}}, trailersOnly(), 200, true, "", lift.OK},
	} {
		a := tt.call.NewAttempt(lift.AttemptRecord{Status: tt.status, Began: newClock().now()})
		resilience.ReadGRPC(a, tt.resp, tt.ended)
		if got := resilience.Classify(a, newClock().now(), nil); got != tt.want || a.GRPC != tt.grpc {
			t.Errorf("%s: grpc-status %q, %s; want %q, %s", name, a.GRPC, got, tt.grpc, tt.want)
		}
	}
}

// An endpoint's DEADLINE_EXCEEDED at the call's own deadline is that deadline, and
// a failure around a freeze is the freeze's.
func TestGRPCDeadlines(t *testing.T) {
	clock := newClock()
	a := grpcCall().NewAttempt(lift.AttemptRecord{Status: 200, GRPC: "4", Began: clock.now()})
	a.Call.Deadline = clock.now().Wall.Add(time.Second)
	clock.run(500 * time.Millisecond)
	if got := resilience.Classify(a, clock.now(), nil); got != lift.Failed {
		t.Errorf("long before the deadline: %s", got)
	}
	clock.run(480 * time.Millisecond)
	if got := resilience.Classify(a, clock.now(), nil); got != lift.CutShort {
		t.Errorf("at the deadline: %s", got)
	}
	clock.freeze(time.Minute)
	a.GRPC = "14"
	if got := resilience.Classify(a, clock.now(), nil); got != lift.Straddled {
		t.Errorf("after a freeze: %s", got)
	}
	a.GRPC = "0"
	if got := resilience.Classify(a, clock.now(), nil); got != lift.OK {
		t.Errorf("what went well stays well: %s", got)
	}
}

// RESOURCE_EXHAUSTED asks for less and is an answer; UNAVAILABLE says that the endpoint cannot be used.
func TestGRPCResourceExhaustedIsAnAnswer(t *testing.T) {
	clock, g := newClock(), &gate{}
	b := resilience.NewBreaker(resilience.BreakerConfig{Consecutive: 2, MinCalls: 100}, g, clock.now, func() uint64 { return 0 })
	for range 10 {
		report(b, clock.now, &lift.AttemptRecord{Outcome: lift.Overloaded, Status: 200, GRPC: "8", Reached: lift.Answered})
	}
	if g.state == "open" {
		t.Errorf("opened: %v", g.log)
	}
	for range 2 {
		report(b, clock.now, &lift.AttemptRecord{Outcome: lift.Failed, Status: 200, GRPC: "14", Reached: lift.Answered})
	}
	if g.state != "open" || len(g.log) != 1 || g.log[0] != "open: 2 failures in a row, the last: grpc-status 14" {
		t.Errorf("%q: %v", g.state, g.log)
	}
}

func TestPushback(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"250": 250 * time.Millisecond, "0": 1, "-1": -1, "": -1, "soon": -1, "1.5": -1, "99999999999": -1,
	} {
		a := grpcCall().NewAttempt(lift.AttemptRecord{Status: 200})
		resilience.ReadGRPC(a, withTrailer(status("14"), lift.Field{Name: "grpc-retry-pushback-ms", Value: value}), true)
		if a.RetryAfter != want {
			t.Errorf("%q: %s, want %s", value, a.RetryAfter, want)
		}
	}
	a := grpcCall().NewAttempt(lift.AttemptRecord{Status: 200})
	resilience.ReadGRPC(a, withTrailer(status("14")), true)
	if a.RetryAfter != 0 {
		t.Errorf("nothing said: %s", a.RetryAfter)
	}
}

func FuzzReadGRPC(f *testing.F) {
	f.Add("0", "1")
	f.Add("\x00", "-9223372036854775808")
	f.Fuzz(func(t *testing.T, code, push string) {
		a, now := grpcCall().NewAttempt(lift.AttemptRecord{Status: 200, Began: newClock().now()}), newClock().now()
		resilience.ReadGRPC(a, withTrailer(status(code), lift.Field{Name: "Grpc-Retry-Pushback-Ms", Value: push}), true)
		if o := resilience.Classify(a, now, nil); !o.Judges() {
			t.Errorf("%q is judged %s", code, o)
		}
	})
}

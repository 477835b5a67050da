package extension

import (
	"testing"
	"time"
)

func TestParseReason(t *testing.T) {
	for s, want := range map[string]Reason{
		"spindown": Spindown, "SPINDOWN": Spindown, "SandboxTerminated": Spindown, "": Spindown, "meteor": Spindown,
		"timeout": Timeout, "Timeout": Timeout, "TIMEOUT": Timeout,
		"failure": Failure, "Failure": Failure, "ReleaseFail": Failure, "ReserveFail": Failure,
	} {
		if got := parseReason(s); got != want {
			t.Errorf("%q is %s, want %s", s, got, want)
		}
	}
}

// A Shutdown counts, whatever stands beside it.
func TestParseEventOfWrongKinds(t *testing.T) {
	for _, body := range []string{
		`{"eventType":"SHUTDOWN","deadlineMs":"soon","shutdownReason":"timeout"}`,
		`{"deadlineMs":1.5,"eventType":"SHUTDOWN","shutdownReason":"timeout"}`,
		`{"tracing":"none","eventType":"SHUTDOWN","shutdownReason":"timeout"}`,
		`{"requestId":{},"eventType":"SHUTDOWN","deadlineMs":-1,"shutdownReason":"timeout"}`,
	} {
		e, err := parseEvent([]byte(body))
		if err != nil || e.Type != Shutdown || e.Reason != Timeout || !e.Deadline.IsZero() {
			t.Errorf("%s is %+v, %v", body, e, err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{
		`{"eventType":"INVOKE","deadlineMs":1795390740358,"requestId":"2","invokedFunctionArn":"arn","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}`,
		`{"eventType":"SHUTDOWN","deadlineMs":1795390442371,"shutdownReason":"spindown"}`,
		`{"eventType":"SHUTDOWN","deadlineMs":"x"}`, `{"eventType":7}`, `{}`, `[]`, `null`, ``, `{"eventType":"INVOKE","deadlineMs":9223372036854775807}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := parseEvent(body)
		if err != nil {
			if e != (Event{}) {
				t.Fatalf("an event beside an error: %+v", e)
			}
			return
		}
		if e.Type == "" {
			t.Fatal("an event without a type")
		}
		if (e.Type == Shutdown) != (e.Reason != "") {
			t.Fatalf("%s with reason %q", e.Type, e.Reason)
		}
		if !e.Deadline.IsZero() && e.Deadline.Before(time.UnixMilli(1)) {
			t.Fatalf("deadline %v", e.Deadline)
		}
	})
}

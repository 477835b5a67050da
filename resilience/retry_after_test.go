package resilience_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

func now2026() lift.Instant {
	return lift.Instant{Wall: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func readRetryAfter(status int, value, date string) time.Duration {
	a := (&lift.Call{}).NewAttempt(lift.AttemptRecord{})
	resp := &lift.Response{Status: status, Header: []lift.Field{{Name: "retry-after", Value: value}}}
	if date != "" {
		resp.Header = append(resp.Header, lift.Field{Name: "Date", Value: date})
	}
	resilience.ReadRetryAfter(a, resp, now2026)
	return a.RetryAfter
}

func TestReadRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		status      int
		value, date string
		want        time.Duration
	}{
		{503, "2", "", 2 * time.Second},
		{429, " 120 ", "", 2 * time.Minute},
		{503, "0", "", 1},
		{503, "99999999999999999999", "", math.MaxInt64},
		{503, "9223372036854775807", "", math.MaxInt64},
		{503, "Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{503, "Sun, 01 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:20 GMT", 10 * time.Second},
		{503, "Sun, 01 Mar 2026 12:00:30 GMT", "yesterday", 30 * time.Second},
		{503, "Sunday, 01-Mar-26 12:00:30 GMT", "", 30 * time.Second}, // obsolete, to be understood
		{503, "Sun, 01 Mar 2026 11:00:00 GMT", "", 1},
		{503, "Fri, 31 Dec 9999 23:59:59 GMT", "", math.MaxInt64},
		{503, "", "", 0},
		{503, "soon", "", 0},
		{503, "-1", "", 0},
		{503, "1.5", "", 0},
		{500, "2", "", 0},
		{301, "2", "", 0},
	} {
		if got := readRetryAfter(tt.status, tt.value, tt.date); got != tt.want {
			t.Errorf("%d with %q, sent %q: %s, want %s", tt.status, tt.value, tt.date, got, tt.want)
		}
	}
	a := (&lift.Call{}).NewAttempt(lift.AttemptRecord{})
	if resilience.ReadRetryAfter(a, nil, now2026); a.RetryAfter != 0 {
		t.Error("without an answer")
	}
}

func FuzzReadRetryAfter(f *testing.F) {
	f.Add("3", "")
	f.Add("Sun, 01 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:20 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		if got := readRetryAfter(503, value, date); got < 0 {
			t.Errorf("%q, sent %q: %s", value, date, got)
		}
	})
}

func ExampleReadRetryAfter() {
	c := &lift.Call{Service: "orders"}
	a := c.NewAttempt(lift.AttemptRecord{Status: 503})
	resp := &lift.Response{Status: 503, Header: []lift.Field{{Name: "Retry-After", Value: "2"}}}
	resilience.ReadRetryAfter(a, resp, lift.Now)
	fmt.Println(a.RetryAfter)
	// Output: 2s
}

package resilience

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// ReadRetryAfter writes into the attempt how long the endpoint asks to wait before
// another try, if the answer is a 429 or a 503 with a Retry-After in seconds or as a
// date (RFC 9110, section 10.2.3). A date is taken against the answer's own Date, so
// that a wrong clock on either side does not matter, and against now without one. A
// value that is neither is ignored.
func ReadRetryAfter(a *lift.Attempt, resp *lift.Response, now func() lift.Instant) {
	if resp == nil || resp.Status != http.StatusTooManyRequests && resp.Status != http.StatusServiceUnavailable {
		return
	}
	value := strings.TrimSpace(lift.Get(resp.Header, "Retry-After"))
	if value == "" {
		return
	}
	var wait time.Duration
	if isDigits(value) {
		wait = math.MaxInt64 // more seconds than a Duration holds, unless they fit
		if s, err := strconv.ParseInt(value, 10, 64); err == nil && s <= int64(math.MaxInt64/time.Second) {
			wait = time.Duration(s) * time.Second
		}
	} else {
		until, err := http.ParseTime(value)
		if err != nil {
			return
		}
		from, err := http.ParseTime(lift.Get(resp.Header, "Date"))
		if err != nil {
			from = now().Wall
		}
		wait = until.Sub(from)
	}
	a.RetryAfter = max(wait, 1) // at once is 1 ns: 0 means that the endpoint did not ask for a wait
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

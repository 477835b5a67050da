package sigv4

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

const (
	// skewed is the difference from which on the log calls the clock wrong. AWS refuses
	// a difference of 5 min; the time that the answer takes must fit in between.
	skewed = 4 * time.Minute
	// tellEvery is the least time between two log lines about refusals.
	tellEvery = time.Minute
)

// Heed is a step around each attempt. It passes on every answer unchanged. If AWS
// refuses a signature, Heed logs why, at most once a minute: by how much this clock is
// off, or that the credentials have expired. It then has them renewed for the next
// call.
func (s *Signer) Heed(next lift.RoundTripper) lift.RoundTripper {
	return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
		began := s.Now()
		resp, err := next.RoundTrip(a)
		if err == nil && (resp.Status == http.StatusForbidden || resp.Status == http.StatusBadRequest) {
			content, _ := resp.Body.Complete()
			s.Refused(resp.Status, lift.Get(resp.Header, "Date"), lift.Get(resp.Header, "X-Amzn-Errortype"), content, began)
		}
		return resp, err
	})
}

// Refused looks at an answer of 400 or 403 (its Date, X-Amzn-ErrorType and content, if
// there are any) and returns why AWS refused the signature, "" if it did not. It logs
// the reason, and has expired credentials renewed for the next call. began is when the
// request was signed.
func (s *Signer) Refused(status int, date, kind string, content []byte, began lift.Instant) string {
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(kind, w) || bytes.Contains(content, []byte(w)) {
				return true
			}
		}
		return false
	}
	now := s.Now()
	off, known := time.Duration(0), false
	if t, err := http.ParseTime(date); err == nil {
		off, known = now.Wall.Sub(t), true
	}
	var why string
	switch {
	case says("ExpiredToken", "token included in the request is expired"):
		s.Source.refused(began)
		why = "the credentials have expired; those from variables are replaced with the environment only, those of a role with the next call"
	case known && off.Abs() >= skewed && (status == http.StatusForbidden || says("Signature", "RequestTimeTooSkewed", "RequestExpired")):
		way := "behind"
		if off > 0 {
			way = "ahead of"
		}
		why = "this clock is " + off.Abs().Round(time.Second).String() + " " + way + " AWS's, which accepts 5m; set it right"
	case says("Signature expired", "Signature not yet current", "RequestTimeTooSkewed", "RequestExpired"):
		why = "by AWS's clock the signature is not current, but AWS's answer has no time; compare this clock with another"
	case says("InvalidSignature", "SignatureDoesNotMatch"):
		why = "the signature does not fit the request; is the secret key right, and does anything between here and AWS change path, query or body?"
	case says("UnrecognizedClient", "InvalidClientTokenId", "security token included in the request is invalid"):
		why = "AWS does not know this key, or the session token is missing"
	default:
		return ""
	}
	last := s.told.Load()
	if ns := now.Wall.UnixNano(); (last == 0 || ns-last >= int64(tellEvery) || ns < last) && s.told.CompareAndSwap(last, ns) {
		s.Log.Warn("AWS refuses the signature", "status", status, "why", why)
	}
	return why
}

package lift

// Outcome is how an attempt ended, decided once and read by breaker, balancer,
// retry and metrics alike.
type Outcome uint8

// The outcomes of an attempt.
const (
	// Unjudged: the attempt has not ended.
	Unjudged Outcome = iota
	// OK: the endpoint did what was asked.
	OK
	// CallerFault: the endpoint is well, the request was wrong (4xx).
	CallerFault
	// Failed: the endpoint failed - refused, reset, timed out, answered 5xx or garbage.
	Failed
	// Overloaded: the endpoint said that it has too much to do (429, 503).
	Overloaded
	// Canceled: the caller gave up first. Judges nobody.
	Canceled
	// CutShort: the call's own time, its deadline or its share of a timeout shorter than
	// the service's, cut the attempt before the service's timeouts did. Judges nobody.
	CutShort
	// Straddled: a freeze lay inside the attempt. Judges nobody.
	Straddled
)

var outcomeNames = [...]string{"unjudged", "ok", "caller_fault", "failed", "overloaded", "canceled", "cut_short", "straddled"}

// String returns the outcome's name as logs and the wire write it.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// Judges reports whether the outcome says something about the endpoint.
func (o Outcome) Judges() bool {
	switch o {
	case OK, CallerFault, Failed, Overloaded:
		return true
	default:
		return false
	}
}

// Reached tells whether an endpoint may have acted on a call. What was not
// reached can be sent again whatever it does.
type Reached uint8

// The values of Reached.
const (
	// NotReached: no endpoint can have seen the whole request.
	NotReached Reached = iota
	// MayHaveActed: the request, or enough of it, left; no answer came.
	MayHaveActed
	// Answered: an endpoint answered.
	Answered
)

var reachedNames = [...]string{"not_reached", "may_have_acted", "answered"}

// String returns the name as logs and the wire write it.
func (r Reached) String() string {
	if int(r) < len(reachedNames) {
		return reachedNames[r]
	}
	return "unknown"
}

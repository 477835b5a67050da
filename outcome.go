package lift

// Outcome says how an attempt ended. It is decided once; breaker, balancer, retry and
// metrics read it.
type Outcome uint8

// Outcomes of an attempt.
const (
	// Unjudged: the attempt has not ended.
	Unjudged Outcome = iota
	// OK: the endpoint did what was asked.
	OK
	// CallerFault: the endpoint is healthy, and the request was wrong (4xx).
	CallerFault
	// Failed: the endpoint failed - refused, reset, timed out, answered 5xx or garbage.
	Failed
	// Overloaded: the endpoint said that it is overloaded (429, 503).
	Overloaded
	// Canceled: the attempt was given up first. It counts neither for nor against the endpoint.
	Canceled
	// CutShort: the call's own time, its deadline or its share of a timeout shorter than
	// the service's, cut the attempt before the service's timeouts did. It counts neither for nor
	// against the endpoint.
	CutShort
	// Straddled: the attempt was interrupted by a freeze. It counts neither for nor against
	// the endpoint.
	Straddled
	// Limited: a limit of this process kept the attempt from the endpoint. It counts
	// neither for nor against the endpoint.
	Limited
)

var outcomeNames = [...]string{"unjudged", "ok", "caller_fault", "failed", "overloaded", "canceled", "cut_short", "straddled", "limited"}

// String returns the outcome's name as logs and the wire write it.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// Judges reports whether the outcome counts for or against the endpoint.
func (o Outcome) Judges() bool {
	switch o {
	case OK, CallerFault, Failed, Overloaded:
		return true
	default:
		return false
	}
}

// Reached says whether an endpoint may have acted on a call. A call that reached no
// endpoint can be sent again, idempotent or not.
type Reached uint8

// Values of Reached.
const (
	// NotReached: no endpoint can have seen the whole request.
	NotReached Reached = iota
	// MayHaveActed: the request, or enough of it to act on, was sent; no answer came.
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

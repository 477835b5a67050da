package resilience

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/liftmesh/lift"
)

// Verdict is what the end of an attempt says about its endpoint.
type Verdict uint8

// The verdicts.
const (
	// Nothing means that the attempt says nothing about the endpoint.
	Nothing Verdict = iota
	// Well means that the endpoint did what it was asked, or said that the request was
	// wrong.
	Well
	// Suspect means that the endpoint is alive and answered badly, or not within the
	// caller's time. That may be the request's fault, so it is compared with the
	// others' answers.
	Suspect
	// Unwell means that the endpoint is unusable for every request.
	Unwell
)

// Answers says how bad answers count: a status from 500 on except 502, 503 and 504;
// 429; the grpc-statuses UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL,
// DATA_LOSS and those that gRPC does not know; no answer within the caller's time.
type Answers string

// The values of Answers.
const (
	// Compare takes an endpoint out that answers worse than the others; see
	// [Outliers]. The default.
	Compare Answers = "compare"
	// Count has the breaker count failed answers as it counts timeouts, though one
	// URL that always fails can then open every endpoint. The rest is compared.
	Count Answers = "count"
	// Ignore does not count them.
	Ignore Answers = "ignore"
)

// Far is how many times its usual time an endpoint may take before an attempt that
// the call's own deadline cut counts against it alone.
const Far = 10

// Sight is the knowledge about an endpoint when an attempt at it has ended.
type Sight struct {
	// Alive says that the head of some answer arrived from the endpoint while the
	// attempt was running.
	Alive bool
	// Usual is how long the head of an answer usually takes there, Elsewhere the
	// longest of the service's other endpoints. 0 means unknown.
	Usual, Elsewhere time.Duration
}

// Verdict decides what the ended attempt a says about its endpoint.
func (answers Answers) Verdict(a *lift.AttemptRecord, seen Sight) Verdict {
	v := verdict(a, seen)
	if v == Suspect && answers == Count && a.Outcome == lift.Failed && a.Err == nil {
		return Unwell
	}
	return v
}

func verdict(a *lift.AttemptRecord, seen Sight) Verdict {
	switch a.Outcome {
	case lift.OK:
		return Well
	case lift.CallerFault:
		if a.Status >= http.StatusInternalServerError { // 501, 505: other endpoints may support it
			return Suspect
		}
		return Well
	case lift.CutShort:
		return cutShort(a, seen)
	case lift.Failed, lift.Overloaded:
	default:
		return Nothing
	}
	switch {
	case errors.Is(a.Err, lift.AttemptTimeout) && seen.Alive:
		return Suspect // slow at this request; an endpoint that hangs answers no request
	case a.Err != nil:
		return Unwell
	case a.GRPC == noStatus, a.GRPC == strconv.Itoa(grpcUnavailable):
		return Unwell
	case a.GRPC != "":
		return Suspect
	}
	switch a.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unwell
	default:
		return Suspect
	}
}

// cutShort judges an attempt that the call's own deadline ended. It says nothing about
// the endpoint, unless this endpoint or the others usually answer sooner. The time in
// which the caller was still sending, or the attempt waited for a limit, does not
// count.
func cutShort(a *lift.AttemptRecord, seen Sight) Verdict {
	if a.Reached == lift.Answered {
		return Nothing
	}
	far := seen.Usual > 0 && a.Owed() > Far*seen.Usual
	switch {
	case far && !seen.Alive:
		return Unwell
	case far, seen.Elsewhere > 0 && a.Owed() > seen.Elsewhere:
		return Suspect
	default:
		return Nothing
	}
}

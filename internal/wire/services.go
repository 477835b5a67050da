package wire

import (
	"math"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Services returns what is known of services as it goes on the wire.
func Services(all []lift.ServiceStatus) []*liftv1.ServiceStatus {
	out := make([]*liftv1.ServiceStatus, len(all))
	for i := range all {
		s := &all[i]
		w := &liftv1.ServiceStatus{
			Name: text(s.Name), From: text(s.From), Broken: text(s.Broken), Error: text(s.Error),
			AtUnixNanos: Nanos(s.At), ToldUnixNanos: Nanos(s.Told),
		}
		for j := range s.Endpoints {
			w.Endpoints = append(w.Endpoints, endpointStatus(&s.Endpoints[j]))
		}
		out[i] = w
	}
	return out
}

func endpointStatus(e *lift.EndpointStatus) *liftv1.EndpointStatus {
	tags := make([]string, len(e.Tags))
	for i, t := range e.Tags {
		tags[i] = text(t)
	}
	return &liftv1.EndpointStatus{
		Id: text(e.ID), Addr: text(e.Addr), Zone: text(e.Zone), Weight: small(e.Weight), Tags: tags,
		State: text(e.State), Why: text(e.Why), UntilUnixNanos: Nanos(e.Until),
		InFlight: int64(e.InFlight), Failures: small(e.Failures), UsualNanos: int64(e.Usual),
		Open: small(e.Open), Idle: small(e.Idle), Attempts: e.Attempts, Failed: e.Failed,
	}
}

func small(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }

// FromServices is the reverse of [Services]. A set that is told and empty is not
// nil.
func FromServices(all []*liftv1.ServiceStatus) []lift.ServiceStatus {
	out := make([]lift.ServiceStatus, len(all))
	for i, w := range all {
		s := lift.ServiceStatus{
			Name: w.GetName(), From: w.GetFrom(), Broken: w.GetBroken(), Error: w.GetError(),
			At: Time(w.GetAtUnixNanos()), Told: Time(w.GetToldUnixNanos()),
		}
		if !s.Told.IsZero() {
			s.Endpoints = make([]lift.EndpointStatus, len(w.GetEndpoints()))
		}
		for j := range s.Endpoints {
			s.Endpoints[j] = fromEndpointStatus(w.GetEndpoints()[j])
		}
		out[i] = s
	}
	return out
}

func fromEndpointStatus(w *liftv1.EndpointStatus) lift.EndpointStatus {
	return lift.EndpointStatus{
		Endpoint: lift.Endpoint{ID: w.GetId(), Addr: w.GetAddr(), Zone: w.GetZone(), Weight: int(w.GetWeight()), Tags: w.GetTags()},
		State:    w.GetState(), Why: w.GetWhy(), Until: Time(w.GetUntilUnixNanos()),
		InFlight: int(w.GetInFlight()), Failures: int(w.GetFailures()), Usual: time.Duration(w.GetUsualNanos()),
		Open: int(w.GetOpen()), Idle: int(w.GetIdle()), Attempts: w.GetAttempts(), Failed: w.GetFailed(),
	}
}

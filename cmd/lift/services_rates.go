package main

import (
	"fmt"
	"io"
	"time"

	"github.com/liftmesh/lift"
)

// rates are what --watch learns from two looks: attempts a second, of each
// endpoint and of all.
type rates struct {
	before map[string]reading
	ends   map[string]rate // by endpoint, as of the last look
	all    rate
	known  bool // there have been two looks
}

// reading is what an endpoint's counters said, and when.
type reading struct {
	at               time.Time
	attempts, failed uint64
}

// rate is in attempts a second.
type rate struct{ attempts, failed float64 }

func (r rate) and(o rate) rate { return rate{r.attempts + o.attempts, r.failed + o.failed} }

// look takes the counters of a new look. An endpoint that is new, or whose
// counters began anew with its sidecar, has no rate until the next one.
func (r *rates) look(all []lift.ServiceStatus) {
	now, ends, sum := map[string]reading{}, map[string]rate{}, rate{}
	for i := range all {
		s := &all[i]
		for j := range s.Endpoints {
			e := &s.Endpoints[j]
			key := endpointKey(s, e)
			n := reading{s.At, e.Attempts, e.Failed}
			now[key] = n
			old, known := r.before[key]
			took := n.at.Sub(old.at).Seconds()
			if !known || took <= 0 || n.attempts < old.attempts || n.failed < old.failed {
				continue
			}
			ends[key] = rate{float64(n.attempts-old.attempts) / took, float64(n.failed-old.failed) / took}
			sum = sum.and(ends[key])
		}
	}
	r.known = r.before != nil
	r.before, r.ends, r.all = now, ends, sum
}

func endpointKey(s *lift.ServiceStatus, e *lift.EndpointStatus) string {
	return s.Name + "\x00" + e.Key()
}

// of is an endpoint's rate as its column has it.
func (r *rates) of(s *lift.ServiceStatus, e *lift.EndpointStatus) string {
	end, known := r.ends[endpointKey(s, e)]
	if !known {
		return "-"
	}
	return end.String()
}

func (r rate) String() string {
	switch {
	case r.attempts >= 1e6:
		return fmt.Sprintf("%.1fM", r.attempts/1e6)
	case r.attempts >= 1e4:
		return fmt.Sprintf("%.1fk", r.attempts/1e3)
	case r.attempts >= 10 || r.attempts == 0:
		return fmt.Sprintf("%.0f", r.attempts)
	default:
		return fmt.Sprintf("%.1f", r.attempts)
	}
}

// picture is one look as a terminal shows it: a header with the time, totals and
// rates, then the services. A look that failed has its error in their place.
func (r *rates) picture(w io.Writer, at time.Time, all []lift.ServiceStatus, failed error, paint func(state, text string) string) error {
	clock := at.Format(time.TimeOnly)
	if failed != nil {
		*r = rates{} // whoever answers next may be another sidecar
		_, err := io.WriteString(w, fold(clock+" "+withoutPrefix(failed), 2))
		return err
	}
	r.look(all)
	if _, err := io.WriteString(w, fold(clock+" "+totalOf(all), 9)+"         "+r.total()+"\n\n"); err != nil {
		return err
	}
	return writeServices(w, all, r, paint)
}

func totalOf(all []lift.ServiceStatus) string {
	var t totals
	for i := range all {
		t.add(&all[i])
	}
	return fmt.Sprintf("%s, %s: %d healthy%s", count(len(all), "service"), count(t.endpoints, "endpoint"), t.endpoints-t.out-t.probing, t.unwell())
}

// total is the rate of all together, unknown until the second look.
func (r *rates) total() string {
	switch {
	case !r.known:
		return "- attempts/s"
	case r.all.attempts == 0:
		return "0 attempts/s"
	}
	return fmt.Sprintf("%s attempts/s, %.1f%% failed", r.all, 100*r.all.failed/r.all.attempts)
}

package balancer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// Reason says why Pick chose no endpoint.
type Reason struct {
	Code lift.Code // NoSet, NoEndpoints or AllOpen
	// Out describes, for AllOpen, the first few endpoints, in the order in which they
	// may be probed. Endpoints is how many there are.
	Out       []Out
	Endpoints int
}

// Next returns, for AllOpen, how long it is until an endpoint may be probed: 0 while a
// probe is running, or if that is unknown.
func (r Reason) Next() time.Duration {
	if len(r.Out) == 0 {
		return 0
	}
	return r.Out[0].Next
}

// Out describes an endpoint that is out.
type Out struct {
	Endpoint lift.Endpoint
	// Why is the cause, as the owners that hold the endpoint gave it.
	Why string
	// Next is how long until it may be probed; 0 while a probe is running, or if an
	// owner decides that.
	Next    time.Duration
	Probing bool
}

// told is how many endpoints a reason describes.
const told = 3

func (b *Balancer) allOut(s *Set, now lift.Instant) Reason {
	r := Reason{Code: lift.AllOpen, Endpoints: len(s.nodes)}
	for _, n := range s.nodes {
		v := n.verdict.Load()
		if v == nil {
			continue // usable again meanwhile
		}
		o := Out{Endpoint: n.Endpoint(), Why: v.why(), Probing: v.probing}
		if !v.probing {
			o.Next = v.left(now)
		}
		r.Out = insert(r.Out, o)
	}
	return r
}

// insert adds an endpoint and keeps the first few by time.
func insert(all []Out, o Out) []Out {
	at, _ := slices.BinarySearchFunc(all, o, func(a, o Out) int { return cmp.Or(cmp.Compare(a.Next, o.Next), -1) })
	all = slices.Insert(all, at, o)
	return all[:min(len(all), told)]
}

// String says in one line why no endpoint was chosen.
func (r Reason) String() string {
	switch r.Code {
	case lift.NoSet:
		return "the registry has not listed the endpoints yet"
	case lift.NoEndpoints:
		return "the registry lists no endpoints; start an instance or fix the registration"
	}
	var b strings.Builder
	switch r.Endpoints {
	case 1:
		b.WriteString("the only endpoint is out")
	case 2:
		b.WriteString("both endpoints are out")
	default:
		fmt.Fprintf(&b, "all %d endpoints are out", r.Endpoints)
	}
	for i, o := range r.Out {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, o.Endpoint.Addr, o.Why)
		switch {
		case o.Probing:
			b.WriteString(" (a probe is running)")
		case o.Next > 0:
			fmt.Fprintf(&b, " (next probe in %s)", round(o.Next))
		}
	}
	if more := r.Endpoints - len(r.Out); more > 0 && len(r.Out) > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// round rounds a duration for people to read.
func round(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return max(d.Round(100*time.Millisecond), time.Millisecond)
}

// Error returns the reason as the error of c. If the reason is NoSet, the caller may
// first wait for a set, as long as it likes.
func (b *Balancer) Error(c *lift.Call, r Reason) error {
	return lift.Errorf(c, r.Code, "%s", r)
}

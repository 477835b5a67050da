package balancer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// Reason says why Pick picked nobody.
type Reason struct {
	Code lift.Code // NoSet, NoEndpoints or AllOpen
	// Out is, for AllOpen, what is known of the endpoints, the one that may be probed
	// first in front; of many the first few. Endpoints is how many there are.
	Out       []Out
	Endpoints int
}

// Next returns how long it is until an endpoint may be probed, for AllOpen. It is 0
// while a probe is out, or if nobody can say.
func (r Reason) Next() time.Duration {
	if len(r.Out) == 0 {
		return 0
	}
	return r.Out[0].Next
}

// Out is what is known of an endpoint that is not used.
type Out struct {
	Endpoint lift.Endpoint
	// Why is the cause, in the words of those who hold it.
	Why string
	// Next is how long until it may be probed; 0 while a probe is out, or if that is
	// for somebody to say.
	Next    time.Duration
	Probing bool
}

// told is of how many endpoints a reason tells.
const told = 3

func (b *Balancer) allOut(s *Set, now lift.Instant) Reason {
	r := Reason{Code: lift.AllOpen, Endpoints: len(s.nodes)}
	for _, n := range s.nodes {
		v := n.verdict.Load()
		if v == nil {
			continue // used again since
		}
		o := Out{Endpoint: n.Endpoint(), Why: v.why(), Probing: v.probing}
		if !v.probing {
			o.Next = v.left(now)
		}
		r.Out = insert(r.Out, o)
	}
	return r
}

// insert keeps the first few by time.
func insert(all []Out, o Out) []Out {
	at, _ := slices.BinarySearchFunc(all, o, func(a, o Out) int { return cmp.Or(cmp.Compare(a.Next, o.Next), -1) })
	all = slices.Insert(all, at, o)
	return all[:min(len(all), told)]
}

// String says in one line why nobody was picked.
func (r Reason) String() string {
	switch r.Code {
	case lift.NoSet:
		return "the registry has not told who serves it"
	case lift.NoEndpoints:
		return "the registry says that nobody serves it; start an instance or fix the registration"
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
			b.WriteString(" (a probe is out)")
		case o.Next > 0:
			fmt.Fprintf(&b, " (next probe in %s)", round(o.Next))
		}
	}
	if more := r.Endpoints - len(r.Out); more > 0 && len(r.Out) > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// round keeps of a duration what a reader wants of it.
func round(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return max(d.Round(100*time.Millisecond), time.Millisecond)
}

// Error makes the reason the error of c. The wait for a first set is the
// caller's to bound; then NoSet is the error too.
func (b *Balancer) Error(c *lift.Call, r Reason) error {
	return lift.Errorf(c, r.Code, "%s", r)
}

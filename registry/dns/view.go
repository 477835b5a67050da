package dns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
)

// state is what is known of a name. Of several names that serve together the highest
// counts.
type state int

const (
	nothing state = iota // it has no addresses
	failed               // a question about it failed, and no other answer gives addresses
	waits                // a question about it is still open, and no other answer gives addresses
	serves               // an answer gives addresses
)

// view is what a set is by what is known at one moment. It asks nothing.
type view struct {
	l   *lookup
	now lift.Instant

	set     []lift.Endpoint // complete with what is known; where a question is open or failed, with its last reply
	waits   bool            // there is no set yet
	partial bool            // an open question may add to the set
	err     error           // why there is no set
	missing []question      // those to ask
	looked  int             // how many questions it rests on
}

// view works out the set of a name.
func (l *lookup) view(now lift.Instant, name string) *view {
	v := &view{l: l, now: now, set: []lift.Endpoint{}}
	for _, a := range l.known {
		a.used = false
	}
	for _, full := range l.conf.names(name) {
		set, is, err := v.name(full)
		if v.err = cmp.Or(v.err, err); is == nothing && v.err == nil {
			continue
		}
		// After a failure the next name is not tried: another's set is worse than an old one.
		v.set, v.waits = set, is == waits
		break
	}
	return v
}

// name works out the set of a full name.
func (v *view) name(name string) ([]lift.Endpoint, state, error) {
	if v.l.r.Type == Service {
		return v.service(name)
	}
	addrs, is, err := v.addresses(name)
	var shares []share
	for _, a := range addrs {
		shares = append(shares, share{addr: netip.AddrPortFrom(a, uint16(v.l.r.Port))}) //nolint:gosec // checked where it is read
	}
	return endpoints(shares), is, err
}

// service works out the set of a name with SRV records: the targets of the lowest
// priority that have an address. A target that failed or is still open does not hold
// back the others of its priority. A priority is passed over if none of its targets has
// or had an address, and not while one may still get one.
func (v *view) service(name string) ([]lift.Endpoint, state, error) {
	a := v.look(question{name, miekg.TypeSRV})
	switch {
	case v.open(a):
		return nil, waits, nil
	case a.err != nil:
		return nil, failed, a.err
	case len(a.targets) == 0:
		return nil, nothing, nil
	}
	var fault error
	for _, group := range byPriority(a.targets) {
		shares, is, open := []share(nil), nothing, false
		for _, t := range group {
			addrs, one, err := v.target(a, t)
			shares = append(shares, spread(t, addrs)...)
			is, open, fault = max(is, one), open || one == waits, cmp.Or(fault, err)
		}
		switch {
		case is == serves:
			v.partial = v.partial || open
			return endpoints(shares), serves, nil
		case is == waits:
			return nil, waits, nil
		case len(shares) > 0: // of before the failure
			return nil, failed, fault
		}
	}
	if fault != nil {
		return nil, failed, fault
	}
	return []lift.Endpoint{}, serves, nil // the name is there, and says "not here"
}

// target returns the addresses of a target: those that came along with the SRV record,
// else those that its name has.
func (v *view) target(srv *answer, t target) ([]netip.Addr, state, error) {
	if addrs := v.routed(slices.Clone(srv.extra[t.name])); len(addrs) > 0 {
		return addrs, serves, nil
	}
	return v.addresses(t.name)
}

// addresses returns the A and AAAA records of a name. The first family that answers
// with addresses serves. The other one's are those of its last reply, until it answers
// anew; so a broken AAAA neither fails a name nor takes its IPv6 addresses away.
func (v *view) addresses(name string) ([]netip.Addr, state, error) {
	v4, v6 := v.look(question{name, miekg.TypeA}), v.look(question{name, miekg.TypeAAAA})
	addrs := v.routed(slices.Concat(v4.addrs, v6.addrs))
	switch {
	case v.gives(v4) || v.gives(v6):
		v.partial = v.partial || v.open(v4) || v.open(v6)
		return addrs, serves, nil
	case v.sure(v4) && v4.nobody:
		// NXDOMAIN is for all types (RFC 8020). That of AAAA alone is not relied on:
		// some servers say it of names that have an A record (RFC 4074, section 4.2).
		return nil, nothing, nil
	case v.open(v4) || v.open(v6):
		return addrs, waits, nil
	}
	if err := cmp.Or(v4.err, v6.err); err != nil {
		return addrs, failed, err
	}
	return nil, nothing, nil
}

// look returns what is known of q, and has q asked if that is open.
func (v *view) look(q question) *answer {
	a := v.l.known[q]
	if a == nil {
		a = &answer{reply: reply{none: true}}
		v.l.known[q] = a
	}
	if a.used {
		return a
	}
	a.used = true
	if v.looked++; v.looked > maxQuestions && v.err == nil {
		v.err = fmt.Errorf("DNS: %s takes more than %d questions; name fewer targets, or send their addresses along", q, maxQuestions)
	}
	if v.open(a) {
		v.missing = append(v.missing, q)
	}
	return a
}

// open reports whether a has to be asked, or is being asked.
func (v *view) open(a *answer) bool { return !a.arrived && a.left(v.now) <= 0 }

// sure reports whether a is an answer that holds.
func (v *view) sure(a *answer) bool { return !v.open(a) && a.err == nil }

func (v *view) gives(a *answer) bool { return v.sure(a) && len(a.addrs) > 0 }

// routed sorts addrs and leaves out IPv6 addresses without a route while others remain,
// so that a name with both kinds does not fail every other call where there is no IPv6.
func (v *view) routed(addrs []netip.Addr) []netip.Addr {
	return routed(addrs, func(a netip.Addr) bool {
		ok, known := v.l.routes[a]
		if !known {
			ok = v.l.r.Reachable(a)
			v.l.routes[a] = ok
		}
		return ok
	})
}

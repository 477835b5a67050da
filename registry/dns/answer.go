package dns

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// question is a name, in lower case and with its final dot, and a type of record.
type question struct {
	name string
	kind uint16
}

func (q question) String() string { return miekg.TypeToString[q.kind] + " " + q.name }

// target is one SRV record.
type target struct {
	name                   string
	port, priority, weight uint16
}

// reply is what one message says to one question.
type reply struct {
	addrs   []netip.Addr // with A and AAAA
	targets []target     // with SRV
	// extra are the addresses that came along with targets, by name.
	extra map[string][]netip.Addr
	// ttl is the shortest TTL of all records that were used. Of a negative reply it is
	// the SOA's, -1 if there was none.
	ttl time.Duration
	// none: the name has no such record. nobody: it has no record at all (NXDOMAIN).
	none, nobody bool
	// more, if not "", is the alias that the message ends at: ask for this name.
	more string
}

// maxAliases bounds a chain of CNAMEs. Common resolvers stop at 8 to 16.
const maxAliases = 12

var errLoop = errors.New("its aliases (CNAME) lead in a circle, or further than 12 steps")

// read turns a message into a reply. The message answers q, with the code NOERROR or
// NXDOMAIN. Records of names that are not in the chain of aliases are ignored.
func read(q question, m *miekg.Msg) (reply, error) {
	r := reply{ttl: -1}
	name, steps := q.name, 0
	for !r.take(q.kind, name, m.Answer) {
		next, ttl, ok := alias(name, m.Answer)
		if !ok {
			break
		}
		if steps++; steps > maxAliases || next == q.name {
			return reply{}, errLoop
		}
		r.hold(ttl)
		name = next
	}
	if len(r.addrs) > 0 || len(r.targets) > 0 {
		r.glue(m.Extra)
		return r, nil
	}
	life, said := negative(m.Ns)
	if m.Rcode == miekg.RcodeSuccess && name != q.name && !said && !has(q.kind, name, m.Answer) {
		r.more = name
		return r, nil
	}
	r.none, r.nobody = true, m.Rcode == miekg.RcodeNameError
	if said {
		r.hold(life)
	} else {
		r.ttl = -1
	}
	return r, nil
}

// hold shortens ttl.
func (r *reply) hold(ttl time.Duration) {
	if r.ttl < 0 || ttl < r.ttl {
		r.ttl = ttl
	}
}

func ttlOf(h *miekg.RR_Header) time.Duration {
	if h.Ttl > 1<<31-1 { // RFC 2181 §8
		return 0
	}
	return time.Duration(h.Ttl) * time.Second
}

// take takes the records of a kind and a name, and reports whether there are any.
func (r *reply) take(kind uint16, name string, records []miekg.RR) (found bool) {
	for _, rr := range records {
		h := rr.Header()
		if h.Rrtype != kind || h.Class != miekg.ClassINET || !same(h.Name, name) {
			continue
		}
		found = true
		r.hold(ttlOf(h))
		if s, ok := rr.(*miekg.SRV); ok {
			r.targets = append(r.targets, target{strings.ToLower(miekg.Fqdn(s.Target)), s.Port, s.Priority, s.Weight})
		} else if a, ok := address(rr); ok {
			r.addrs = append(r.addrs, a)
		}
	}
	return found
}

// has reports whether there are records that take looks at, usable or not.
func has(kind uint16, name string, records []miekg.RR) bool {
	return (&reply{}).take(kind, name, records)
}

// glue takes the addresses that came along with targets.
func (r *reply) glue(records []miekg.RR) {
	for _, t := range r.targets {
		if r.extra[t.name] != nil {
			continue
		}
		for _, rr := range records {
			h := rr.Header()
			if h.Class != miekg.ClassINET || !same(h.Name, t.name) {
				continue
			}
			if a, ok := address(rr); ok {
				if r.extra == nil {
					r.extra = make(map[string][]netip.Addr)
				}
				r.extra[t.name] = append(r.extra[t.name], a)
				r.hold(ttlOf(h))
			}
		}
	}
}

// address returns the address of an A or AAAA record. ok is false if nobody can connect
// to it.
func address(rr miekg.RR) (netip.Addr, bool) {
	var bytes []byte
	switch rr := rr.(type) {
	case *miekg.A:
		bytes = rr.A.To4()
	case *miekg.AAAA:
		bytes = rr.AAAA
	}
	a, ok := netip.AddrFromSlice(bytes)
	a = a.Unmap()
	return a, ok && !a.IsUnspecified() && !a.IsMulticast()
}

func alias(name string, records []miekg.RR) (to string, ttl time.Duration, ok bool) {
	for _, rr := range records {
		if c, is := rr.(*miekg.CNAME); is && c.Hdr.Class == miekg.ClassINET && same(c.Hdr.Name, name) {
			return strings.ToLower(miekg.Fqdn(c.Target)), ttlOf(&c.Hdr), true
		}
	}
	return "", 0, false
}

// negative returns how long "there is none" holds: the lesser of the SOA's TTL and its
// minimum (RFC 2308, section 5).
func negative(authority []miekg.RR) (time.Duration, bool) {
	for _, rr := range authority {
		if soa, ok := rr.(*miekg.SOA); ok {
			return min(ttlOf(&soa.Hdr), time.Duration(soa.Minttl)*time.Second), true
		}
	}
	return 0, false
}

func same(a, b string) bool { return strings.EqualFold(miekg.Fqdn(a), miekg.Fqdn(b)) }

package dns

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/static"
)

func packed(f *testing.F, rcode int, records ...string) []byte {
	f.Helper()
	m := &miekg.Msg{Question: []miekg.Question{{Name: "o.", Qtype: miekg.TypeA, Qclass: miekg.ClassINET}}}
	m.Rcode = rcode
	for _, s := range records {
		rr, err := miekg.NewRR(s)
		if err != nil {
			f.Fatal(err)
		}
		switch rr.(type) {
		case *miekg.SOA:
			m.Ns = append(m.Ns, rr)
		default:
			m.Answer, m.Extra = append(m.Answer, rr), append(m.Extra, rr)
		}
	}
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// Whatever bytes come: a sound reply, and a sound set of it.
func FuzzAnswer(f *testing.F) {
	f.Add(packed(f, 0, "o. 60 IN A 10.0.0.1", "o. 60 IN A 10.0.0.1", "o. 5 IN AAAA fd00::1", "o. 60 IN A 0.0.0.0"))
	f.Add(packed(f, 0, "o. 60 IN SRV 1 65535 80 a.", "o. 60 IN SRV 1 0 81 a.", "o. 60 IN SRV 0 0 0 .", "a. 60 IN A 10.0.0.1", "a. 60 IN AAAA ::ffff:10.0.0.1"))
	f.Add(packed(f, 0, "o. 60 IN CNAME p.", "p. 60 IN CNAME q.", "q. 60 IN CNAME p."))
	f.Add(packed(f, 3, "o. 60 IN CNAME p.", ". 60 IN SOA a. b. 1 2 3 4 5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m miekg.Msg
		if m.Unpack(b) != nil {
			return
		}
		for _, kind := range []uint16{miekg.TypeA, miekg.TypeAAAA, miekg.TypeSRV} {
			r, err := read(question{"o.", kind}, &m)
			if err != nil {
				continue
			}
			if n := len(r.addrs) + len(r.targets); r.none != (n == 0 && r.more == "") || r.more != "" && n > 0 {
				t.Fatalf("neither yes nor no: %+v", r)
			}
			if r.ttl < -1 || !r.none && r.ttl < 0 || r.ttl > (1<<31)*time.Second {
				t.Fatalf("TTL %d", r.ttl)
			}
			var shares []share
			for _, a := range routed(slices.Clone(r.addrs), func(netip.Addr) bool { return false }) {
				shares = append(shares, share{addr: netip.AddrPortFrom(a, 80)})
			}
			checkSet(t, endpoints(shares))
			for _, group := range byPriority(r.targets) {
				shares = nil
				for _, target := range group {
					shares = append(shares, spread(target, r.extra[target.name])...)
				}
				checkSet(t, endpoints(shares))
			}
		}
	})
}

func checkSet(t *testing.T, set []lift.Endpoint) {
	t.Helper()
	if set == nil {
		t.Fatal("nil is no empty set")
	}
	var last netip.AddrPort
	for _, ep := range set {
		at, err := netip.ParseAddrPort(ep.Addr)
		if err != nil || at.Port() == 0 || at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Addr().Is4In6() {
			t.Fatalf("endpoint %+v: %v", ep, err)
		}
		if ep.Weight < 0 || ep.Weight > static.MaxWeight {
			t.Fatalf("weight %d", ep.Weight)
		}
		if last.IsValid() && last.Compare(at) >= 0 {
			t.Fatalf("not in order, or twice: %v", set)
		}
		last = at
	}
}

func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch a.internal b. .\noptions ndots:5 timeout:2 attempts:3 rotate use-vc edns0", "orders")
	f.Add("# x\n; y\n\ndomain z\r\noptions ndots:-1 timeout:99999999999999999999\nnameserver\noptions\nnameserver x", "a.b.")
	f.Fuzz(func(t *testing.T, text, name string) {
		c := parseConf(text)
		if len(c.servers) == 0 || len(c.servers) > mostServers || len(c.search) > mostSearch {
			t.Fatalf("%+v", c)
		}
		for _, s := range c.servers {
			if at, err := ParseServer(s); err != nil || at != s {
				t.Fatalf("server %q: %v", s, err)
			}
		}
		if c.ndots < 0 || c.ndots > 15 || c.attempts < 1 || c.attempts > 5 || c.timeout < time.Second || c.timeout > 5*time.Second {
			t.Fatalf("%+v", c)
		}
		if CheckName(name) != nil {
			return
		}
		names := c.names(name)
		if len(names) == 0 {
			t.Fatal("nothing to ask for")
		}
		for _, n := range names {
			if _, ok := miekg.IsDomainName(n); !ok || !strings.HasSuffix(n, ".") || CheckName(n) != nil {
				t.Fatalf("asks for %q", n)
			}
		}
	})
}

package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
)

// look makes one look-up and returns the set as addr*weight, in order.
func look(t *testing.T, r *Registry, name string) (set []string, life time.Duration, err error) {
	t.Helper()
	l := r.newLookup()
	defer l.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	eps, life, err := l.resolve(ctx, name)
	if err == nil && eps == nil {
		t.Error("an empty set is nil")
	}
	for _, ep := range eps {
		set = append(set, fmt.Sprintf("%s*%d", ep.Addr, ep.Weight))
	}
	return set, life, err
}

// allOnes makes the jitter its most: lives are whole TTLs, nearly.
func allOnes() uint64 { return ^uint64(0) }

func TestRecordsToSets(t *testing.T) {
	var many, manyV4 []string
	for i := range 200 { // some 3 KB: not by UDP
		many = append(many, fmt.Sprintf("many. 60 IN A 10.0.0.%d", i+1))
		manyV4 = append(manyV4, fmt.Sprintf("10.0.0.%d:80*0", i+1))
	}
	slices.SortFunc(manyV4, func(a, b string) int {
		return netip.MustParseAddrPort(strings.TrimSuffix(a, "*0")).Compare(netip.MustParseAddrPort(strings.TrimSuffix(b, "*0")))
	})
	for _, tt := range []struct {
		name    string
		kind    Type
		ask     string
		records []string
		extra   []string
		soa     string
		want    string
		life    time.Duration // 0: not looked at
		err     string
		tcp     bool
		asked   string // "": not looked at
		noRoute bool
	}{
		{name: "A and AAAA, sorted", ask: "o", records: []string{"o. 60 IN A 10.0.0.2", "o. 60 IN A 10.0.0.1", "o. 30 IN AAAA fd00::1"}, want: "10.0.0.1:80*0 10.0.0.2:80*0 [fd00::1]:80*0", life: 30 * time.Second, asked: "A o. AAAA o."},
		{name: "case does not matter", ask: "O.Internal", records: []string{"o.INTERNAL. 60 IN A 10.0.0.1"}, want: "10.0.0.1:80*0"},
		{name: "the same twice", ask: "o", records: []string{"o. 60 IN A 10.0.0.1", "o. 60 IN AAAA ::ffff:10.0.0.1"}, want: "10.0.0.1:80*0"},
		{name: "no route to IPv6", ask: "o", records: []string{"o. 60 IN A 10.0.0.1", "o. 60 IN AAAA fd00::1"}, noRoute: true, want: "10.0.0.1:80*0"},
		{name: "no route, but nothing else", ask: "o", records: []string{"o. 60 IN AAAA fd00::1"}, noRoute: true, want: "[fd00::1]:80*0"},
		{name: "addresses that are none", ask: "o", records: []string{"o. 60 IN A 0.0.0.0", "o. 60 IN A 224.0.0.1", "o. 60 IN AAAA ::"}, want: ""},
		{name: "TTL 0 has a floor", ask: "o", records: []string{"o. 0 IN A 10.0.0.1"}, want: "10.0.0.1:80*0", life: time.Second},
		{name: "a week has a cap", ask: "o", records: []string{"o. 604800 IN A 10.0.0.1", "o. 604800 IN AAAA fd00::1"}, want: "10.0.0.1:80*0 [fd00::1]:80*0", life: 5 * time.Minute},
		{name: "no such name", ask: "o", want: "", life: 5 * time.Second},
		{name: "no such record", ask: "o", records: []string{"o. 60 IN TXT x"}, want: "", life: 5 * time.Second, asked: "A o. AAAA o."},
		{name: "negative by the SOA's minimum", ask: "o", soa: ". 900 IN SOA a. b. 1 2 3 4 20", want: "", life: 20 * time.Second},
		{name: "negative by the SOA's TTL", ask: "o", soa: ". 7 IN SOA a. b. 1 2 3 4 900", want: "", life: 7 * time.Second},
		{name: "negative, floor", ask: "o", soa: ". 900 IN SOA a. b. 1 2 3 4 0", want: "", life: time.Second},
		{name: "negative, cap", ask: "o", soa: ". 900 IN SOA a. b. 1 2 3 4 900", want: "", life: 30 * time.Second},
		{name: "aliases, the shortest TTL", ask: "o", records: []string{"o. 10 IN CNAME p.", "p. 60 IN CNAME q.", "q. 60 IN A 10.0.0.1"}, want: "10.0.0.1:80*0", life: 5 * time.Second},
		{name: "alias to nobody", ask: "o", records: []string{"o. 10 IN CNAME p."}, soa: ". 900 IN SOA a. b. 1 2 3 4 900", want: "", life: 10 * time.Second},
		{name: "aliases in a circle", ask: "o", records: []string{"o. 10 IN CNAME p.", "p. 10 IN CNAME o."}, err: "lead in a circle"},
		{name: "an alias of itself", ask: "o", records: []string{"o. 10 IN CNAME o."}, err: "lead in a circle"},
		{name: "a circle further on", ask: "o", records: []string{"o. 10 IN CNAME p.", "p. 10 IN CNAME q.", "q. 10 IN CNAME p."}, err: "lead in a circle"},
		{name: "cut short, so by TCP", ask: "many", records: many, want: strings.Join(manyV4, " "), tcp: true},
		{name: "not a name", ask: "a b", err: "want letters"},

		{name: "SRV", kind: Service, ask: "_http._tcp.o", records: []string{"_http._tcp.o. 60 IN SRV 1 10 80 a.", "_http._tcp.o. 60 IN SRV 1 30 81 b.", "a. 60 IN A 10.0.0.1", "b. 20 IN A 10.0.0.2", "a. 20 IN AAAA fd00::1", "b. 20 IN AAAA fd00::2"},
			want: "10.0.0.1:80*5 10.0.0.2:81*15 [fd00::1]:80*5 [fd00::2]:81*15", life: 20 * time.Second, asked: "A a. A b. AAAA a. AAAA b. SRV _http._tcp.o."},
		{name: "SRV, addresses that came along", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 1 1 80 A."}, extra: []string{"a. 9 IN A 10.0.0.1", "evil. 1 IN A 6.6.6.6"}, want: "10.0.0.1:80*1", life: 9 * time.Second, asked: "SRV o."},
		{name: "SRV, the lowest priority", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 2 1 80 b.", "o. 60 IN SRV 1 1 80 a.", "a. 60 IN A 10.0.0.1", "b. 60 IN A 10.0.0.2"}, want: "10.0.0.1:80*1", asked: "A a. AAAA a. SRV o."},
		{name: "SRV, the lowest priority that has an address", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 2 1 80 b.", "o. 60 IN SRV 1 1 80 a.", "b. 60 IN A 10.0.0.2"}, want: "10.0.0.2:80*1"},
		{name: "SRV, decidedly not here", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 0 0 ."}, want: "", asked: "SRV o."},
		{name: "SRV, port 0", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 0 0 a.", "a. 60 IN A 10.0.0.1"}, want: ""},
		{name: "SRV, weights 0", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 0 80 a.", "o. 60 IN SRV 0 0 81 a.", "a. 60 IN A 10.0.0.1"}, want: "10.0.0.1:80*1 10.0.0.1:81*1"},
		{name: "SRV, large weights are scaled", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 65535 80 a.", "o. 60 IN SRV 0 1 81 a.", "o. 60 IN SRV 0 32768 82 a.", "a. 60 IN A 10.0.0.1"}, want: "10.0.0.1:80*1000 10.0.0.1:81*1 10.0.0.1:82*500"},
		{name: "SRV, a weight is shared by a target's addresses", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 1 80 a.", "o. 60 IN SRV 0 1 80 b.", "a. 60 IN A 10.0.0.1", "a. 60 IN A 10.0.0.2", "b. 60 IN A 10.0.0.3"}, want: "10.0.0.1:80*1 10.0.0.2:80*1 10.0.0.3:80*2"},
		{name: "SRV, target by an alias", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 1 80 a.", "a. 5 IN CNAME b.", "b. 60 IN A 10.0.0.3"}, want: "10.0.0.3:80*1", life: 5 * time.Second},
		{name: "SRV, a target in a circle", kind: Service, ask: "o", records: []string{"o. 60 IN SRV 0 1 80 a.", "a. 5 IN CNAME a."}, err: "lead in a circle"},
		{name: "SRV, nobody", kind: Service, ask: "o", want: "", life: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := startZone(t, tt.records...)
			z.change(func() {
				z.soa = tt.soa
				for _, s := range tt.extra {
					rr, _ := miekg.NewRR(s)
					z.extra = append(z.extra, rr)
				}
			})
			r := New(Config{Type: tt.kind, Port: 80, Servers: []string{z.addr}, Rand: allOnes, Reachable: func(netip.Addr) bool { return !tt.noRoute }})
			got, life, err := look(t, r, tt.ask)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), strings.TrimSuffix(tt.ask, ".")) && !strings.Contains(err.Error(), "A a.") {
					t.Fatalf("got %v, %v; want an error with %q that names what was asked", got, err, tt.err)
				}
				return
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
			if tt.life > 0 && (life > tt.life || life < tt.life-2*time.Second) && tt.name != "aliases, the shortest TTL" {
				t.Errorf("holds for %s, want %s", life, tt.life)
			}
			if asked := strings.Join(slices.Sorted(slices.Values(z.questions())), " "); tt.asked != "" && asked != tt.asked {
				t.Errorf("asked %s, want %s", asked, tt.asked)
			}
			z.change(func() {
				if z.byTCP > 0 != tt.tcp {
					t.Errorf("%d questions by TCP", z.byTCP)
				}
			})
		})
	}
}

// An answer that stops at an alias, as that of a server that knows one zone only.
func TestAliasThatLeadsElsewhere(t *testing.T) {
	z := startZone(t, "p. 60 IN A 10.0.0.1")
	z.change(func() {
		z.byUDP = func(w miekg.ResponseWriter, q *miekg.Msg) bool {
			if q.Question[0].Name != "o." {
				return false
			}
			m := new(miekg.Msg)
			m.SetReply(q)
			m.Answer = []miekg.RR{&miekg.CNAME{Hdr: miekg.RR_Header{Name: "o.", Rrtype: miekg.TypeCNAME, Class: miekg.ClassINET, Ttl: 7}, Target: "p."}}
			_ = w.WriteMsg(m)
			return true
		}
	})
	got, life, err := look(t, New(Config{Port: 80, Servers: []string{z.addr}, Rand: allOnes}), "o")
	if err != nil || strings.Join(got, " ") != "10.0.0.1:80*0" || life > 7*time.Second {
		t.Errorf("got %v, %s, %v", got, life, err)
	}
}

func TestServers(t *testing.T) {
	good := func(z *zone) { z.rcode = miekg.RcodeSuccess }
	code := func(n int) func(*zone) { return func(z *zone) { z.rcode = n } }
	by := func(f func(w miekg.ResponseWriter, q *miekg.Msg) bool) func(*zone) {
		return func(z *zone) { z.byUDP = f }
	}
	silent := by(func(miekg.ResponseWriter, *miekg.Msg) bool { return true })
	// lies writes an answer that is not one to the question; the truth comes after it.
	lies := func(change func(m *miekg.Msg)) func(*zone) {
		return by(func(w miekg.ResponseWriter, q *miekg.Msg) bool {
			m := new(miekg.Msg)
			m.SetReply(q)
			if q.Question[0].Qtype == miekg.TypeA {
				m.Answer = []miekg.RR{&miekg.A{Hdr: miekg.RR_Header{Name: q.Question[0].Name, Rrtype: miekg.TypeA, Class: miekg.ClassINET, Ttl: 60}, A: net.IPv4(6, 6, 6, 6)}}
			}
			change(m)
			_ = w.WriteMsg(m)
			return false
		})
	}
	const want = "10.0.0.1:80*0"
	for _, tt := range []struct {
		name    string
		servers []func(*zone)
		want    string
		err     string
	}{
		{"one", []func(*zone){good}, want, ""},
		{"the first fails", []func(*zone){code(miekg.RcodeServerFailure), good}, want, ""},
		{"the first refuses", []func(*zone){code(miekg.RcodeRefused), good}, want, ""},
		{"the first is silent", []func(*zone){silent, good}, want, ""},
		{"all fail", []func(*zone){code(miekg.RcodeServerFailure), code(miekg.RcodeRefused)}, "", "no server answers A o.: "},
		{"all silent", []func(*zone){silent}, "", "no answer in time"},
		{"the first says there is none", []func(*zone){code(miekg.RcodeNameError), good}, "", ""},
		{"no EDNS", []func(*zone){func(z *zone) { z.noEDNS = true }}, want, ""},
		{"a wrong id", []func(*zone){lies(func(m *miekg.Msg) { m.Id++ })}, want, ""},
		{"a wrong question", []func(*zone){lies(func(m *miekg.Msg) { m.Question[0].Name = "x." })}, want, ""},
		{"a wrong type", []func(*zone){lies(func(m *miekg.Msg) { m.Question[0].Qtype = miekg.TypeMX })}, want, ""},
		{"no question", []func(*zone){lies(func(m *miekg.Msg) { m.Question = nil })}, want, ""},
		{"no answer at all", []func(*zone){lies(func(m *miekg.Msg) { m.Response = false })}, want, ""},
		{"only lies", []func(*zone){by(func(w miekg.ResponseWriter, q *miekg.Msg) bool {
			m := new(miekg.Msg)
			m.SetReply(q)
			m.Id++
			_ = w.WriteMsg(m)
			return true
		})}, "", "1 datagrams that answer something else"},
		{"garbage first", []func(*zone){by(func(w miekg.ResponseWriter, _ *miekg.Msg) bool {
			_, _ = w.Write([]byte("no DNS"))
			_, _ = w.Write([]byte("nor is this one, for all its length"))
			return false
		})}, want, ""},
		{"a referral first", []func(*zone){by(func(w miekg.ResponseWriter, q *miekg.Msg) bool {
			m := new(miekg.Msg)
			m.SetReply(q)
			m.Ns = []miekg.RR{&miekg.NS{Hdr: miekg.RR_Header{Name: ".", Rrtype: miekg.TypeNS, Class: miekg.ClassINET}, Ns: "a."}}
			_ = w.WriteMsg(m)
			return true
		}), good}, want, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var addrs []string
			for _, prepare := range tt.servers {
				z := startZone(t, "o. 60 IN A 10.0.0.1")
				z.change(func() { prepare(z) })
				addrs = append(addrs, z.addr)
			}
			got, _, err := look(t, New(Config{Port: 80, Servers: addrs, Timeout: 200 * time.Millisecond}), "o")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, %v; want one line with %q", got, err, tt.err)
				}
				for _, a := range addrs {
					if err != nil && !strings.Contains(err.Error(), a) {
						t.Errorf("the error does not name %s: %v", a, err)
					}
				}
				return
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestTheServerThatAnsweredIsAskedFirst(t *testing.T) {
	dead, good := startZone(t), startZone(t, "o. 60 IN A 10.0.0.1")
	dead.change(func() { dead.rcode = miekg.RcodeServerFailure })
	r := New(Config{Port: 80, Servers: []string{dead.addr, good.addr}})
	for range 2 {
		if _, _, err := look(t, r, "o"); err != nil {
			t.Fatal(err)
		}
		if n := len(dead.questions()); n > 2 { // by both families, at the same time
			t.Errorf("the dead one was asked %d times", n)
		}
	}
}

// AAAA fails while A answers: what was known of IPv6 stays, be it nothing.
func TestBrokenIPv6(t *testing.T) {
	z := startZone(t, "o. 1 IN A 10.0.0.1", "o. 1 IN AAAA fd00::1")
	r := New(Config{Port: 80, Servers: []string{z.addr}, MinTTL: time.Nanosecond, Reachable: func(netip.Addr) bool { return true }})
	l := r.newLookup()
	first, _, err := l.resolve(t.Context(), "o")
	if err != nil || len(first) != 2 {
		t.Fatal(first, err)
	}
	for _, a := range l.known {
		a.life = 0
	}
	z.change(func() {
		z.byUDP = func(w miekg.ResponseWriter, q *miekg.Msg) bool {
			if q.Question[0].Qtype != miekg.TypeAAAA {
				return false
			}
			m := new(miekg.Msg)
			m.SetRcode(q, miekg.RcodeServerFailure)
			_ = w.WriteMsg(m)
			return true
		}
	})
	if set, _, err := l.resolve(t.Context(), "o"); err != nil || !slices.EqualFunc(set, first, lift.Endpoint.Equal) {
		t.Errorf("known before: got %v, %v", set, err)
	}
	if set, _, err := look(t, r, "o"); err != nil || len(set) != 1 {
		t.Errorf("never known: got %v, %v", set, err)
	}
	if _, _, err := look(t, r, "other"); err != nil {
		t.Errorf("NXDOMAIN needs no AAAA: %v", err)
	}
}

// A family that no server answers costs the other one no more than the short wait.
func TestSilentFamily(t *testing.T) {
	for _, tt := range []struct {
		silent uint16
		want   string
	}{{miekg.TypeAAAA, "10.0.0.1:80*0"}, {miekg.TypeA, "[fd00::1]:80*0"}} {
		z := startZone(t, "o. 60 IN A 10.0.0.1", "o. 60 IN AAAA fd00::1")
		z.change(func() {
			z.byUDP = func(_ miekg.ResponseWriter, q *miekg.Msg) bool { return q.Question[0].Qtype == tt.silent }
		})
		r := New(Config{Port: 80, Servers: []string{z.addr}, Timeout: 20 * time.Second})
		began := time.Now()
		if got, _, err := look(t, r, "o"); err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("got %v, %v; want %s", got, err, tt.want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	}
}

func TestTooManyQuestions(t *testing.T) {
	var records []string
	for i := range maxQuestions {
		records = append(records, fmt.Sprintf("o. 60 IN SRV 1 1 80 h%d.", i))
	}
	z := startZone(t, records...)
	if _, _, err := look(t, New(Config{Type: Service, Servers: []string{z.addr}}), "o"); err == nil || !strings.Contains(err.Error(), "more than 512 questions") {
		t.Errorf("got %v", err)
	}
}

// Each answer is kept by its own TTL.
func TestOnlyWhatExpiredIsAskedAgain(t *testing.T) {
	z := startZone(t, "o. 100 IN SRV 1 1 80 a.", "a. 10 IN A 10.0.0.1", "a. 100 IN AAAA fd00::1")
	now := lift.Now()
	r := New(Config{Type: Service, Servers: []string{z.addr}, Now: func() lift.Instant { return now }, Rand: allOnes, Reachable: func(netip.Addr) bool { return true }})
	l := r.newLookup()
	for range 2 {
		if set, _, err := l.resolve(t.Context(), "o"); err != nil || len(set) != 2 {
			t.Fatal(set, err)
		}
		now.Wall = now.Wall.Add(11 * time.Second) // the monotonic clock stands still, as in a freeze
	}
	if got := z.questions(); len(got) != 4 || got[0] != "SRV o." || got[3] != "A a." {
		t.Errorf("asked %s", got)
	}
}

func TestSearchDomains(t *testing.T) {
	z := startZone(t, "o.b.internal. 60 IN A 10.0.0.1", "x.y. 60 IN A 10.0.0.2", "x.y.b.internal. 60 IN A 10.0.0.3", "o. 60 IN A 10.0.0.4")
	for _, tt := range []struct {
		ask, options, want, asked string
	}{
		{"o", "", "10.0.0.1:80*0", "A o.a.internal. A o.b.internal."},
		{"o.", "", "10.0.0.4:80*0", "A o."},
		{"x.y", "", "10.0.0.2:80*0", "A x.y."},
		{"x.y", "options ndots:2", "10.0.0.3:80*0", "A x.y.a.internal. A x.y.b.internal."},
		{"none", "", "", "A none.a.internal. A none.b.internal. A none."},
	} {
		z.change(func() { z.asked = nil })
		r := New(Config{Port: 80})
		r.conf = func() (conf, error) {
			c := parseConf("search a.internal b.internal\n" + tt.options)
			c.servers = []string{z.addr}
			return c, nil
		}
		got, _, err := look(t, r, tt.ask)
		// AAAA is asked beside A, but not waited for where A says that there is no such name.
		asked := strings.Join(slices.DeleteFunc(z.questions(), func(q string) bool { return strings.HasPrefix(q, "AAAA") }), " ")
		if err != nil || strings.Join(got, " ") != tt.want || asked != tt.asked {
			t.Errorf("%s %s: got %v, %v, asked %s; want %s, %s", tt.ask, tt.options, got, err, asked, tt.want, tt.asked)
		}
	}
	// A failure under one search domain must not make another's set the answer.
	z.change(func() {
		z.byUDP = func(w miekg.ResponseWriter, q *miekg.Msg) bool {
			m := new(miekg.Msg)
			m.SetRcode(q, miekg.RcodeServerFailure)
			_ = w.WriteMsg(m)
			return strings.HasSuffix(q.Question[0].Name, ".a.internal.")
		}
	})
	r := New(Config{Port: 80})
	r.conf = func() (conf, error) {
		return conf{servers: []string{z.addr}, search: []string{"a.internal", "b.internal"}, ndots: 1, attempts: 1, timeout: time.Second}, nil
	}
	if got, _, err := look(t, r, "o"); err == nil {
		t.Errorf("got %v of another domain", got)
	}
}

func TestResolvConfIsReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r := New(Config{ResolvConf: path})
	if _, err := r.conf(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "dns.servers") {
		t.Errorf("no file: %v", err)
	}
	for _, server := range []string{"10.0.0.1", "10.0.0.2"} {
		if err := os.WriteFile(path, []byte("nameserver "+server+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := r.conf(); err != nil || !slices.Equal(c.servers, []string{server + ":53"}) {
			t.Errorf("got %+v, %v", c, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if c, err := r.conf(); err != nil || c.servers[0] != "10.0.0.2:53" {
		t.Errorf("a file that has gone: %+v, %v", c, err)
	}
}

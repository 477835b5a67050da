package dns

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	miekg "github.com/miekg/dns"
)

// zone is a small DNS server on a port of its own, by UDP and by TCP.
type zone struct {
	addr string

	mu     sync.Mutex
	byUDP  func(w miekg.ResponseWriter, q *miekg.Msg) bool // true: it has answered
	rcode  int
	rrs    map[string][]miekg.RR // by type and name; their aliases come along
	extra  []miekg.RR
	soa    string
	asked  []string
	byTCP  int
	noEDNS bool
}

func startZone(t testing.TB, records ...string) *zone {
	t.Helper()
	z := &zone{rrs: map[string][]miekg.RR{}}
	var l net.Listener
	var p net.PacketConn
	for try := 0; ; try++ { // the same port for both
		var err error
		if p, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if l, err = net.Listen("tcp", p.LocalAddr().String()); err == nil {
			break
		}
		p.Close()
		if try > 20 {
			t.Fatal(err)
		}
	}
	z.addr = p.LocalAddr().String()
	for _, s := range []*miekg.Server{{PacketConn: p, Handler: z}, {Listener: l, Handler: z}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go s.ActivateAndServe()
		<-ready
		t.Cleanup(func() { s.Shutdown() })
	}
	z.set(t, records...)
	return z
}

// set makes these all the records there are.
func (z *zone) set(t testing.TB, records ...string) {
	t.Helper()
	all := map[string][]miekg.RR{}
	for _, s := range records {
		rr, err := miekg.NewRR(s)
		if err != nil || rr == nil {
			t.Fatalf("%s: %v", s, err)
		}
		k := key(rr.Header().Name, rr.Header().Rrtype)
		all[k] = append(all[k], rr)
	}
	z.change(func() { z.rrs, z.rcode = all, miekg.RcodeSuccess })
}

func (z *zone) change(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.asked)
}

func key(name string, kind uint16) string {
	return miekg.TypeToString[kind] + " " + miekg.CanonicalName(name)
}

// ServeDNS implements miekg.Handler.
func (z *zone) ServeDNS(w miekg.ResponseWriter, q *miekg.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	if !udp {
		z.byTCP++
	}
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	z.asked = append(z.asked, key(name, kind))
	if udp && z.byUDP != nil && z.byUDP(w, q) {
		return
	}
	m := new(miekg.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	if m.Rcode = z.rcode; z.noEDNS && q.IsEdns0() != nil {
		m.Rcode = miekg.RcodeFormatError
	}
	if m.Rcode == miekg.RcodeSuccess {
		z.answer(m, name, kind)
	}
	if udp {
		size := miekg.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m)
}

func (z *zone) answer(m *miekg.Msg, name string, kind uint16) {
	for range 20 {
		if rrs := z.rrs[key(name, kind)]; len(rrs) > 0 {
			m.Answer = append(m.Answer, rrs...)
			m.Extra = append(m.Extra, z.extra...)
			return
		}
		c := z.rrs[key(name, miekg.TypeCNAME)]
		if len(c) == 0 {
			break
		}
		m.Answer = append(m.Answer, c...)
		name = c[0].(*miekg.CNAME).Target
	}
	if len(m.Answer) > 0 {
		return
	}
	m.Rcode = miekg.RcodeNameError
	for k := range z.rrs {
		if strings.HasSuffix(k, " "+miekg.CanonicalName(name)) {
			m.Rcode = miekg.RcodeSuccess
		}
	}
	if z.soa != "" {
		rr, err := miekg.NewRR(z.soa)
		if err != nil {
			panic(err)
		}
		m.Ns = []miekg.RR{rr}
	}
}

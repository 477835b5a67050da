package dns_test

import (
	"context"
	"fmt"
	"net"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/dns"
)

func ExampleNew() {
	server := serve("_http._tcp.orders.internal. 60 IN SRV 1 2 8080 a.internal.", "a.internal. 60 IN A 10.0.1.7")

	var r registry.Registry = dns.New(dns.Config{Type: dns.Service, Servers: []string{server}})
	for set, err := range r.Watch(context.Background(), "_http._tcp.orders.internal.") {
		if err != nil {
			fmt.Println("the last set stays:", err)
			continue
		}
		fmt.Println(set[0].Addr, "weight", set[0].Weight)
		break
	}
	// Output: 10.0.1.7:8080 weight 2
}

func ExampleParseServer() {
	fmt.Println(dns.ParseServer("10.0.0.2"))
	fmt.Println(dns.ParseServer("dns.internal:53"))
	// Output:
	// 10.0.0.2:53 <nil>
	//  want an IP address with its port, such as 10.0.0.2:53 or [fd00::2]:53
}

func ExampleCheckName() {
	fmt.Println(dns.CheckName("_http._tcp.orders.internal"))
	fmt.Println(dns.CheckName("10.0.1.7"))
	// Output:
	// <nil>
	// this is an address; want a name, or from: static for addresses
}

// serve is a DNS server with these records, for as long as the example runs.
func serve(records ...string) (addr string) {
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go miekg.ActivateAndServe(nil, p, miekg.HandlerFunc(func(w miekg.ResponseWriter, q *miekg.Msg) {
		m := new(miekg.Msg)
		m.SetReply(q)
		for _, s := range records {
			if rr, err := miekg.NewRR(s); err == nil && rr.Header().Name == q.Question[0].Name && rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = w.WriteMsg(m)
	}))
	return p.LocalAddr().String()
}

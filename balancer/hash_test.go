package balancer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
)

func hashing(hash balancer.HashConfig, endpoints ...lift.Endpoint) (*balancer.Balancer, []*balancer.Node) {
	b := balancer.New(balancer.Options{Config: balancer.Config{Strategy: balancer.ConsistentHash, Hash: hash}, Rand: seeded()})
	var nodes []*balancer.Node
	for _, ep := range endpoints {
		nodes = append(nodes, b.NewNode(ep, nil))
	}
	b.Replace(nodes)
	return b, nodes
}

func keyed(key string) *lift.Call { return &lift.Call{Method: "GET", HashKey: key} }

func fleet(n int) (eps []lift.Endpoint) {
	for i := range n {
		eps = append(eps, lift.Endpoint{Addr: fmt.Sprintf("10.0.%d.%d:80", i/200, i%200)})
	}
	return eps
}

// owners tells where each of many keys goes.
func ownersOf(t *testing.T, b *balancer.Balancer) map[string]string {
	t.Helper()
	got := map[string]string{}
	for i := range 5000 {
		key := fmt.Sprint("user-", i)
		n := pick(t, b, keyed(key))
		n.Done()
		got[key] = n.Endpoint().Addr
	}
	return got
}

func TestOneKeyMeetsOneEndpoint(t *testing.T) {
	b, nodes := hashing(balancer.HashConfig{}, fleet(5)...)
	first := ownersOf(t, b)
	other, _ := hashing(balancer.HashConfig{}, fleet(5)...) // another environment
	shares := map[string]int{}
	for key, addr := range ownersOf(t, other) {
		shares[addr]++
		if addr != first[key] {
			t.Fatalf("%s goes to %s here and to %s there", key, first[key], addr)
		}
	}
	for addr, n := range shares {
		if n < 700 || n > 1300 {
			t.Errorf("%s owns %d of 5000 keys", addr, n)
		}
	}
	b.Replace(nodes[1:]) // one leaves: the others keep what they have
	for key, addr := range ownersOf(t, b) {
		if was := first[key]; was != nodes[0].Endpoint().Addr && was != addr {
			t.Fatalf("%s moved from %s to %s though %s stayed", key, was, addr, was)
		}
	}
}

func TestHashSharesFollowWeights(t *testing.T) {
	eps := fleet(3)
	eps[0].Weight = 3
	b, _ := hashing(balancer.HashConfig{}, eps...)
	heavy := 0
	for _, addr := range ownersOf(t, b) {
		if addr == eps[0].Addr {
			heavy++
		}
	}
	if heavy < 2600 || heavy > 3400 {
		t.Errorf("the endpoint of weight 3 of 5 owns %d of 5000 keys", heavy)
	}
}

func TestWhatIsTheKey(t *testing.T) {
	for _, tt := range []struct {
		name string
		hash balancer.HashConfig
		a, b *lift.Call
		same bool
	}{
		{"the call's own key", balancer.HashConfig{Header: "X-User", Path: true},
			&lift.Call{HashKey: "k", Path: "/a", Header: []lift.Field{{Name: "X-User", Value: "1"}}},
			&lift.Call{HashKey: "k", Path: "/b", Header: []lift.Field{{Name: "X-User", Value: "2"}}}, true},
		{"the header", balancer.HashConfig{Header: "X-User", Path: true},
			&lift.Call{Path: "/a", Header: []lift.Field{{Name: "x-user", Value: "1"}}},
			&lift.Call{Path: "/b", Header: []lift.Field{{Name: "X-User", Value: "1"}}}, true},
		{"the path without its query", balancer.HashConfig{Header: "X-User", Path: true}, &lift.Call{Path: "/a?x=1"}, &lift.Call{Path: "/a?x=2"}, true},
		{"another path", balancer.HashConfig{Path: true}, &lift.Call{Path: "/1"}, &lift.Call{Path: "/4"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, _ := hashing(tt.hash, fleet(7)...)
			x, y := pick(t, b, tt.a), pick(t, b, tt.b)
			if (x == y) != tt.same || last(tt.a).Why != "by its hash key" {
				t.Errorf("%s and %s: %s", x.Endpoint().Addr, y.Endpoint().Addr, last(tt.a).Why)
			}
		})
	}
	b, _ := hashing(balancer.HashConfig{}, fleet(7)...)
	seen := map[*balancer.Node]bool{}
	for range 100 {
		c := get()
		seen[pick(t, b, c)] = true
		if last(c).Why != "least of two in flight; no hash key" {
			t.Fatal(last(c).Why)
		}
	}
	if len(seen) != 7 {
		t.Errorf("calls without a key met %d of 7", len(seen))
	}
}

// A retry, and a call whose endpoint is out, go to the next on the ring: the same for
// all who ask.
func TestHashGoesOnToTheNext(t *testing.T) {
	b, _ := hashing(balancer.HashConfig{}, fleet(5)...)
	c := keyed("k")
	first := pick(t, b, c)
	second := pick(t, b, c)
	if first == second {
		t.Fatal("a retry went to the same endpoint")
	}
	first.Suspend(balancer.Breaker, time.Hour, "test")
	for range 20 {
		n := pick(t, b, keyed("k"))
		n.Done()
		if n != second {
			t.Fatalf("went to %s, want %s", n.Endpoint().Addr, second.Endpoint().Addr)
		}
	}
}

func TestOneKeyIsBounded(t *testing.T) {
	b, nodes := hashing(balancer.HashConfig{Load: 1.25}, fleet(4)...)
	for range 400 { // none of them ends
		pick(t, b, keyed("everybody's"))
	}
	for _, n := range nodes {
		if n.InFlight() > 126 {
			t.Errorf("%s carries %d of 400", n.Endpoint().Addr, n.InFlight())
		}
	}
	quiet, nodes := hashing(balancer.HashConfig{Load: 1.25}, fleet(4)...)
	for range 8 {
		pick(t, quiet, keyed("k"))
	}
	most := int64(0)
	for _, n := range nodes {
		most = max(most, n.InFlight())
	}
	if most != 8 {
		t.Errorf("of 8 calls in flight %d went to the key's endpoint", most)
	}
}

func TestHashAllocatesNothing(t *testing.T) {
	b, _ := hashing(balancer.HashConfig{Header: "X-User"}, fleet(20)...)
	header := []lift.Field{{Name: "X-User", Value: "somebody"}}
	if allocs := testing.AllocsPerRun(100, func() {
		n, _, _ := b.Pick(&lift.Call{Method: "GET", Header: header})
		n.Done()
	}); allocs > 1 { // the call itself
		t.Errorf("%v allocations a pick", allocs)
	}
}

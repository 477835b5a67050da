package dns

import (
	"context"
	"fmt"
	"iter"
	"net"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/registrytest"
)

// named gives endpoints the ids that the contract's have: DNS knows none.
type named struct {
	registry.Registry
	ids map[string]string
}

func (n named) Watch(ctx context.Context, service string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		for set, err := range n.Registry.Watch(ctx, service) {
			for i := range set {
				set[i].ID = n.ids[set[i].Addr]
			}
			if !yield(set, err) {
				return
			}
		}
	}
}

func srvRecords(t *testing.T, set []lift.Endpoint) (records []string) {
	t.Helper()
	for i, ep := range set {
		host, port, err := net.SplitHostPort(ep.Addr)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records,
			fmt.Sprintf("orders. 0 IN SRV 1 %d %s h%d.", max(ep.Weight, 1), port, i),
			fmt.Sprintf("h%d. 0 IN A %s", i, host))
	}
	return records
}

func TestContract(t *testing.T) {
	registrytest.Run(t, func(t *testing.T, first []lift.Endpoint) registrytest.Subject {
		z := startZone(t, srvRecords(t, first)...)
		ids := map[string]string{}
		for _, ep := range first {
			ids[ep.Addr] = ep.ID
		}
		return registrytest.Subject{
			Registry: named{New(Config{Type: Service, Servers: []string{z.addr}, MinTTL: 20 * time.Millisecond}), ids},
			Update:   func(set []lift.Endpoint) { z.set(t, srvRecords(t, set)...) },
			Fail:     func(error) { z.change(func() { z.rcode = miekg.RcodeServerFailure }) },
		}
	})
}

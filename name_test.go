package lift_test

import (
	"testing"

	"github.com/liftmesh/lift"
)

func TestServiceName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "orders": "orders", "Orders": "orders", "ORDERS-v2.Shop_1": "orders-v2.shop_1", "@[`{": "@[`{",
		"ÄK": "Äk", // not ASCII: neither a host's name nor ours to change
	} {
		if got := lift.ServiceName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { lift.ServiceName("orders.internal") }); n != 0 {
		t.Errorf("a canonical name costs %v allocations", n)
	}
}

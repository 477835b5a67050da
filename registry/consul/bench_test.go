package consul

import (
	"fmt"
	"testing"

	"github.com/liftmesh/lift"
)

// A client is made before lift-extension registers with Lambda.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Config{Address: "https://consul.internal:8501"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEndpoints(b *testing.B) {
	var set []lift.Endpoint
	for i := range 100 {
		set = append(set, lift.Endpoint{ID: fmt.Sprintf("orders-%d", i), Addr: fmt.Sprintf("10.0.0.%d:80", i)})
	}
	entries := entriesOf(set)
	b.ReportAllocs()
	for b.Loop() {
		if len(endpoints(entries)) != len(set) {
			b.Fatal("some are missing")
		}
	}
}

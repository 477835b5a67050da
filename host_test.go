package lift_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
)

func TestCheckHost(t *testing.T) {
	for host, says := range map[string]string{
		"orders": "", "orders.internal": "", "orders.internal.": "", "_a._tcp.b": "", "10.0.0.1": "", "::1": "", "fe80::1%eth0": "", "7.example": "", "x1": "",
		"":          "the host is missing",
		".":         "the host is missing",
		"999.0.0.1": `"999.0.0.1" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`,
		"10.0.0":    `"10.0.0" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`,
		"7":         `"7" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`,
		"010.0.0.1": `"010.0.0.1" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`,
		"a..b":      `"a..b" is not a valid host name or IP address`,
		"a b":       `"a b" is not a valid host name or IP address`,
		"$HOST":     `"$HOST" is not a valid host name or IP address`,
		"[::1]":     `"[::1]" is not a valid host name or IP address`,
		"bücher.de": `"bücher.de" is not a valid host name or IP address`,
		"::1%a b":   `"::1%a b" is not a valid IP address: its zone is not the name of a network interface`,

		strings.Repeat("a", 64):              `is not a valid host name or IP address`,
		strings.Repeat("abcdefg.", 32) + "x": "more than 253 bytes",
	} {
		err := lift.CheckHost(host)
		if says == "" && err != nil || says != "" && (err == nil || !strings.HasSuffix(err.Error(), says)) {
			t.Errorf("%q: %v, want %q", host, err, says)
		}
	}
}

// What passes holds nothing that could end a host in a URL, a header or a log line.
func FuzzCheckHost(f *testing.F) {
	for _, s := range []string{"orders.internal", "999.0.0.1", "::1", "fe80::1%eth0", "a..b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, isIP := netip.ParseAddr(s)
		if lift.CheckHost(s) == nil && (strings.ContainsAny(s, " \t\r\n/@?#$\"\\[]") || isIP != nil && strings.Contains(s, ":")) {
			t.Errorf("%q passes", s)
		}
	})
}

func ExampleCheckHost() {
	fmt.Println(lift.CheckHost("orders.internal"))
	fmt.Println(lift.CheckHost("999.0.0.1"))
	// Output:
	// <nil>
	// "999.0.0.1" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)
}

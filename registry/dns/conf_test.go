package dns

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseConf(t *testing.T) {
	preset := func(change func(*conf)) conf {
		c := conf{servers: []string{"10.0.0.2:53"}, ndots: 1, attempts: 2, timeout: time.Second}
		change(&c)
		return c
	}
	for text, want := range map[string]conf{
		"":                    preset(func(c *conf) { c.servers = []string{"127.0.0.1:53", "[::1]:53"} }),
		"nameserver 10.0.0.2": preset(func(*conf) {}),
		"#nameserver 1.1.1.1\n;nameserver 2.2.2.2\nnameserver 10.0.0.2 # ours\r\nnameserver x": preset(func(*conf) {}),
		"nameserver 10.0.0.2\nnameserver fe80::1%eth0":                                         preset(func(c *conf) { c.servers = append(c.servers, "[fe80::1%eth0]:53") }),
		"nameserver 10.0.0.2\ndomain x\nsearch A.internal. b":                                  preset(func(c *conf) { c.search = []string{"a.internal", "b"} }),
		"nameserver 10.0.0.2\nsearch a\ndomain x y":                                            preset(func(c *conf) { c.search = []string{"x"} }),
		"nameserver 10.0.0.2\noptions ndots:5 timeout:3 attempts:4 rotate use-vc edns0 trust-ad": preset(func(c *conf) {
			c.ndots, c.timeout, c.attempts, c.rotate, c.tcp = 5, 3*time.Second, 4, true, true
		}),
		"nameserver 10.0.0.2\noptions ndots:99 timeout:99 attempts:99":                   preset(func(c *conf) { c.ndots, c.timeout, c.attempts = 15, 5*time.Second, 5 }),
		"nameserver 10.0.0.2\noptions ndots:x timeout: attempts:-1 timeout:0 attempts:0": preset(func(c *conf) { c.attempts = 1 }),
	} {
		if got := parseConf(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\ngot  %+v\nwant %+v", text, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a.", 120) + "a"
	for name, want := range map[string]string{
		"orders.internal": "", "orders.": "", "_http._tcp.Orders-1": "", long: "",
		"": "1 to 253", ".": "1 to 253", "a..b": "1 to 63", long + "." + long: "1 to 253", strings.Repeat("a", 64): "1 to 63",
		"a b": "want letters", "ö": "want letters", "10.0.0.1": "an address", "::1": "an address",
	} {
		err := CheckName(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
	for in, want := range map[string]string{
		"10.0.0.2:53": "10.0.0.2:53", "10.0.0.2": "10.0.0.2:53", "[fd00::2]:5353": "[fd00::2]:5353", "fd00::2": "[fd00::2]:53", "[fd00::2]": "[fd00::2]:53",
		"": "", "dns.internal:53": "", "10.0.0.2:0": "", "10.0.0.2:x": "", "10.0.0.2:65536": "",
	} {
		got, err := ParseServer(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

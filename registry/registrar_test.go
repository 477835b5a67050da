package registry_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/registry"
)

func good() registry.Instance {
	return registry.Instance{
		ID: "orders-1", Service: "orders", Addr: "10.0.0.7:8080", Zone: "use1-az1", Weight: 2, Tags: []string{"v2"},
		Meta: map[string]string{"commit": "c0ffee"}, Check: registry.Check{HTTP: "http://10.0.0.7:8080/healthz"},
	}
}

func TestInstanceValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*registry.Instance)
		says string // "" is valid
	}{
		{"good", func(*registry.Instance) {}, ""},
		{"least", func(i *registry.Instance) { *i = registry.Instance{ID: "a", Service: "b", Addr: "c:1"} }, ""},
		{"IPv6", func(i *registry.Instance) { i.Addr, i.Check.HTTP = "[2001:db8::7]:8080", "http://[2001:db8::7]:8080/" }, ""},
		{"no id", func(i *registry.Instance) { i.ID = "" }, "no id"},
		{"id with a space", func(i *registry.Instance) { i.ID = "a b" }, `the id "a b"`},
		{"id with a slash", func(i *registry.Instance) { i.ID = "../a" }, "the id"},
		{"long id", func(i *registry.Instance) { i.ID = strings.Repeat("x", 129) }, "up to 128"},
		{"no service", func(i *registry.Instance) { i.Service = "" }, "names no service"},
		{"service with a dot", func(i *registry.Instance) { i.Service = "a.b" }, `the service "a.b"`},
		{"no address", func(i *registry.Instance) { i.Addr = "" }, "host:port is needed"},
		{"no port", func(i *registry.Instance) { i.Addr = "10.0.0.7" }, "host:port is needed"},
		{"port 0", func(i *registry.Instance) { i.Addr = "10.0.0.7:0" }, `"0" is not a port`},
		{"big port", func(i *registry.Instance) { i.Addr = "10.0.0.7:65536" }, "is not a port"},
		{"everywhere", func(i *registry.Instance) { i.Addr = "0.0.0.0:80" }, "cannot reach this host"},
		{"everywhere, IPv6", func(i *registry.Instance) { i.Addr = "[::]:80" }, "cannot reach this host"},
		{"no host", func(i *registry.Instance) { i.Addr = ":80" }, "cannot reach this host"},
		{"a line in the host", func(i *registry.Instance) { i.Addr = "a\nb:80" }, "is not a valid host"},
		{"weight", func(i *registry.Instance) { i.Weight = -1 }, "the weight -1"},
		{"big weight", func(i *registry.Instance) { i.Weight = 65536 }, "the weight 65536"},
		{"empty tag", func(i *registry.Instance) { i.Tags = []string{"a", ""} }, "a tag is empty"},
		{"empty key", func(i *registry.Instance) { i.Meta = map[string]string{"": "x"} }, "a key of meta"},
		{"only a host", func(i *registry.Instance) { i.Check = registry.Check{Host: "10.0.0.7"} }, "set exactly one of"},
		{"two checks", func(i *registry.Instance) { i.Check.TCP = "10.0.0.7:1" }, "set exactly one of"},
		{"only an interval", func(i *registry.Instance) { i.Check = registry.Check{Interval: time.Second} }, "set exactly one of"},
		{"TCP", func(i *registry.Instance) { i.Check = registry.Check{TCP: "10.0.0.7:8080", Interval: time.Second} }, ""},
		{"TCP without port", func(i *registry.Instance) { i.Check = registry.Check{TCP: "10.0.0.7"} }, "tcp"},
		{"URL without host", func(i *registry.Instance) { i.Check.HTTP = "/healthz" }, "a whole URL"},
		{"URL of another kind", func(i *registry.Instance) { i.Check.HTTP = "file:///etc/passwd" }, "a whole URL"},
		{"no URL", func(i *registry.Instance) { i.Check.HTTP = "http://[" }, "http: "},
		{"TTL", func(i *registry.Instance) { i.Check = registry.Check{TTL: 15 * time.Second, RemoveAfter: time.Hour} }, ""},
		{"short TTL", func(i *registry.Instance) { i.Check = registry.Check{TTL: time.Millisecond} }, "too short"},
		{"TTL with interval", func(i *registry.Instance) { i.Check = registry.Check{TTL: time.Minute, Interval: time.Minute} }, "neither interval"},
		{"short interval", func(i *registry.Instance) { i.Check.Interval = time.Millisecond }, "too short"},
		{"negative", func(i *registry.Instance) { i.Check.RemoveAfter = -1 }, "not be negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := good()
			tt.edit(&i)
			err := i.Validate()
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// A check leads to the instance's own host, at any port.
func TestCheckHost(t *testing.T) {
	for _, tt := range []struct {
		addr, http, tcp, host string
		says                  string // "" is valid
	}{
		{"10.0.0.7:8080", "http://10.0.0.7:9090/healthz", "", "", ""},
		{"10.0.0.7:8080", "https://10.0.0.7", "", "", ""},
		{"10.0.0.7:8080", "", "10.0.0.7:1", "", ""},
		{"10.0.0.7:8080", "http://[::ffff:10.0.0.7]/", "", "", ""},
		{"[::ffff:10.0.0.7]:8080", "http://10.0.0.7/", "", "", ""},
		{"[2001:db8::7]:8080", "http://[2001:DB8:0:0::7]:81/", "", "", ""},
		{"[2001:db8::7]:8080", "", "[2001:DB8:0:0::7]:81", "", ""},
		{"[fe80::7%eth0]:8080", "http://[fe80::7%25eth0]/", "", "", ""},
		{"orders.internal:8080", "http://Orders.Internal.:81/", "", "", ""},
		{"orders.internal.:8080", "", "orders.internal:81", "", ""},
		{"10.0.0.7:8080", "http://127.0.0.1:8080/", "", "127.0.0.1", ""},
		{"10.0.0.7:8080", "", "localhost:8080", "LOCALHOST", ""},
		{"10.0.0.7:8080", "http://[::1]:8080/", "", "::1", ""},

		{"10.0.0.7:8080", "http://169.254.169.254/latest/meta-data/", "", "", "the host is 169.254.169.254; want the instance's own, 10.0.0.7, at any port"},
		{"10.0.0.7:8080", "", "10.0.0.8:22", "", `tcp "10.0.0.8:22": the host is 10.0.0.8; want the instance's own`},
		{"10.0.0.7:8080", "http://127.0.0.1:8500/", "", "", "the host is 127.0.0.1"},
		{"10.0.0.7:8080", "http://localhost:8500/", "", "", "the host is localhost"},
		{"10.0.0.7:8080", "http://orders.internal/", "", "", "the host is orders.internal"},
		{"orders.internal:8080", "http://10.0.0.7/", "", "", "the host is 10.0.0.7"},
		{"orders.internal:8080", "http://orders.internal.evil/", "", "", "the host is"},
		{"10.0.0.7:8080", "http://10.0.0.7.:80/", "", "", "the host is 10.0.0.7."},
		{"10.0.0.7:8080", "http://0x0a000007/", "", "", "the host is 0x0a000007"},
		{"[fe80::7%eth0]:8080", "http://[fe80::7%25eth1]/", "", "", "the host is fe80::7%eth1"},
		{"10.0.0.7:8080", "http://10.0.0.7@evil/", "", "", "a user and password are not supported"},
		{"10.0.0.7:8080", "http://u:secret@10.0.0.7/", "", "", "a user and password are not supported"},
		{"10.0.0.7:8080", `http://evil\@10.0.0.7/`, "", "", "http: "},
		{"10.0.0.7:8080", "http://10.0.0.7:0/", "", "", `"0" is not a port`},
		{"10.0.0.7:8080", "http://10.0.0.7:65536/", "", "", `"65536" is not a port`},
		{"10.0.0.7:8080", "http://:8080/", "", "", "a whole URL is needed"},
		{"10.0.0.7:8080", "http://10.0.0.7/", "", "127.0.0.1", "the host is 10.0.0.7; want that of Check.Host, 127.0.0.1"},
	} {
		i := good()
		i.Addr, i.Check = tt.addr, registry.Check{HTTP: tt.http, TCP: tt.tcp, Host: tt.host}
		err := i.Validate()
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s %s%s, host %q: got %v, want %q", tt.addr, tt.http, tt.tcp, tt.host, err, tt.says)
		}
	}
}

func TestCheckDefaults(t *testing.T) {
	for _, tt := range []struct{ in, want registry.Check }{
		{registry.Check{}, registry.Check{}},
		{registry.Check{TTL: time.Minute}, registry.Check{TTL: time.Minute}},
		{registry.Check{TCP: "a:1"}, registry.Check{TCP: "a:1", Interval: 10 * time.Second, Timeout: 10 * time.Second}},
		{registry.Check{TCP: "a:1", Interval: time.Minute}, registry.Check{TCP: "a:1", Interval: time.Minute, Timeout: 10 * time.Second}},
		{registry.Check{HTTP: "http://a", Interval: time.Second}, registry.Check{HTTP: "http://a", Interval: time.Second, Timeout: time.Second}},
	} {
		if got := tt.in.WithDefaults(); got != tt.want {
			t.Errorf("got %+v, want %+v", got, tt.want)
		}
	}
}

// What is valid has an address and a check that others can be given.
func FuzzInstanceValidate(f *testing.F) {
	f.Add("orders-1", "orders", "10.0.0.7:80", "http://10.0.0.7/")
	f.Add("orders-1", "orders", "[fd00::7]:80", "http://[FD00:0::7]:81/x?y#z")
	f.Add("orders-1", "orders", "a.:80", "https://A:1@b/")
	f.Add("", "a.b", "[::]:0", "http://[")
	f.Add("a\x00", "a b", "a/b:80", "://")
	f.Fuzz(func(t *testing.T, id, service, addr, check string) {
		i := registry.Instance{ID: id, Service: service, Addr: addr, Check: registry.Check{HTTP: check}}
		if i.Validate() != nil {
			return
		}
		if strings.ContainsAny(id+service+addr, "\x00\r\n\t /") {
			t.Errorf("%q %q %q is valid", id, service, addr)
		}
		if check == "" {
			return
		}
		own, _, _ := net.SplitHostPort(addr)
		u, err := url.Parse(check)
		if err != nil || u.User != nil {
			t.Fatalf("the check %q is valid", check)
		}
		// What the check dials is the same address, or the same name.
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			if b, err := netip.ParseAddr(own); err != nil || a.Unmap() != b.Unmap() {
				t.Errorf("the check %q leads away from %s", check, addr)
			}
		} else if !strings.EqualFold(strings.Trim(u.Hostname(), "."), strings.Trim(own, ".")) {
			t.Errorf("the check %q leads away from %s", check, addr)
		}
	})
}

// ledger is a registrar of one's own: it only writes down who is there.
type ledger map[string]registry.Instance

func (l ledger) Register(_ context.Context, i registry.Instance) error {
	l[i.ID] = i
	return nil
}

func (l ledger) Deregister(_ context.Context, id string) error {
	delete(l, id)
	return nil
}

func ExampleRegistrar() {
	var r registry.Registrar = ledger{}
	i := registry.Instance{
		ID: "orders-1", Service: "orders", Addr: "10.0.0.7:8080",
		Check: registry.Check{HTTP: "http://10.0.0.7:8080/healthz", Interval: 5 * time.Second},
	}
	if err := i.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Register(context.Background(), i), r.Deregister(context.Background(), i.ID))
	// Output: <nil> <nil>
}

func ExampleInstance_Validate() {
	fmt.Println(registry.Instance{ID: "orders-1", Service: "orders", Addr: "0.0.0.0:8080"}.Validate())
	// Output: the address "0.0.0.0:8080": others cannot reach this host; name the one by which they can
}

package static_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/registry/static"
)

func TestContract(t *testing.T) {
	registrytest.Run(t, func(_ *testing.T, first []lift.Endpoint) registrytest.Subject {
		return registrytest.Subject{Registry: static.New(first)}
	})
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want lift.Endpoint
		err  string
	}{
		{in: "10.0.1.7:8443;zone=use1-az1;weight=2", want: lift.Endpoint{Addr: "10.0.1.7:8443", Zone: "use1-az1", Weight: 2}},
		{in: "[::1]:80;id=a;tag=x;tag=y", want: lift.Endpoint{Addr: "[::1]:80", ID: "a", Tags: []string{"x", "y"}}},
		{in: "orders.internal:80", want: lift.Endpoint{Addr: "orders.internal:80"}},
		{in: "10.0.1.7", err: "the port is missing; want host:port, such as 10.0.1.7:8080"},
		{in: ":80", err: "the host is missing"},
		{in: "a:0", err: "1 to 65535"},
		{in: "a:65536", err: "1 to 65535"},
		{in: "http://a:80/", err: "want host:port alone: a:80"},
		{in: "a", err: "the port is missing; want host:port, such as a:8080"},
		{in: "a:080", err: "1 to 65535"},
		{in: "999.0.0.1:80", err: "not a valid IP address"},
		{in: "$A:80", err: "not a valid host name"},
		{in: "a:1,weight=2", err: `its parts are separated by semicolons; write "a:1;weight=2"`},
		{in: "a:1, zone=x, id=b", err: `write "a:1;zone=x;id=b"`},
		{in: "a:1, b:2;weight=2", err: `more than one endpoint; write one entry for each: "a:1", "b:2;weight=2"`},
		{in: "weight=2", err: "behind the address and a semicolon: 10.0.1.7:8080;weight=2"},
		{in: "a:1,x", err: `"1,x" is not a port`},
		{in: "a:80;weight=0", err: "1 to 1000"},
		{in: "a:80;zone=", err: "want zone=ID"},
		{in: "a:80;zne=x", err: "unknown part"},
	} {
		got, err := static.Parse(tt.in)
		switch {
		case tt.err == "" && err != nil:
			t.Errorf("%s: %v", tt.in, err)
		case tt.err == "" && !reflect.DeepEqual(got, tt.want):
			t.Errorf("%s: got %+v, want %+v", tt.in, got, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.in)):
			t.Errorf("%s: got error %v, want one with %q that names the endpoint", tt.in, err, tt.err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("10.0.1.7:8443;zone=use1-az1;weight=2")
	f.Add("[::1]:80;tag=a;;")
	f.Fuzz(func(t *testing.T, s string) {
		ep, err := static.Parse(s)
		if err == nil && (ep.Addr == "" || ep.Weight < 0 || ep.Weight > static.MaxWeight) {
			t.Fatalf("%q parsed to %+v", s, ep)
		}
	})
}

func ExampleNew() {
	ep, _ := static.Parse("10.0.1.7:8080;weight=2")
	var r registry.Registry = static.New([]lift.Endpoint{ep})
	for set := range r.Watch(context.Background(), "orders") {
		fmt.Println(len(set), set[0].Addr, set[0].Weight)
		break
	}
	// Output: 1 10.0.1.7:8080 2
}

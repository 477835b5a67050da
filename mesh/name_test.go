package mesh_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
)

// asked is a registry that knows one name, and keeps what it was asked for.
type asked struct{ names chan string }

func (a asked) Watch(ctx context.Context, name string) iter.Seq2[[]lift.Endpoint, error] {
	a.names <- name
	return func(yield func([]lift.Endpoint, error) bool) {
		if yield([]lift.Endpoint{{Addr: "a:1"}}, nil) {
			<-ctx.Done()
		}
	}
}

// A service is found in any case; records, status and errors name it in one form.
func TestServiceInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, source := newNetwork("a:1"), asked{make(chan string, 1)}
		var ended []string
		m := mesh.New(mesh.Options{
			Services: []mesh.ServiceConfig{{Name: "Orders", Registry: source}}, Dial: net.dial,
			OnEnd: func(c *lift.Call, _ lift.Ending) { ended = append(ended, c.Service) },
		})
		defer m.Close()
		call := func(name string) error {
			c := &lift.Call{Service: name, Path: "/"}
			defer c.End()
			resp, err := m.Call(c)
			if err == nil {
				_, err = resp.Body.ReadAll(0)
			}
			if c.Service != lift.ServiceName(name) {
				t.Errorf("the call's record names %q", c.Service)
			}
			return err
		}
		for _, name := range []string{"orders", "Orders", "ORDERS"} {
			if err := call(name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if s := m.Service(name); s == nil {
				t.Errorf("%s: the mesh does not find it", name)
			}
		}
		if got := <-source.names; got != "Orders" {
			t.Errorf("the registry was asked for %q, and it may tell cases apart", got)
		}
		for _, name := range ended {
			if name != "orders" {
				t.Errorf("a call is told of as one to %q", name)
			}
		}
		known, err := m.Services(t.Context(), "ORDERS", "orders")
		if err != nil || len(known) != 1 || known[0].Name != "orders" {
			t.Errorf("got %+v, %v", known, err)
		}
		if err := call("Payments"); lift.CodeOf(err) != lift.UnknownService {
			t.Errorf("got %v", err)
		}
		ch, err := m.Reload([]mesh.ServiceConfig{{Name: "ORDERS", Registry: asked{make(chan string, 1)}}})
		if err != nil || len(ch.Added)+len(ch.Removed) > 0 {
			t.Errorf("a reload in another case: %+v, %v", ch, err)
		}
	})
}

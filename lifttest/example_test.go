package lifttest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift/lifttest"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/sdk"
)

// Ship stands for the code under test.
func Ship(ctx context.Context, client *sdk.Client, id string) (string, error) {
	return sdk.Get[string](ctx, client, "orders", "/orders/"+id)
}

var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%q", r.URL.Path)
})

func TestShipSurvivesAnInstance(t *testing.T) {
	m := lifttest.New(t)
	orders := m.Service("orders", handler, lifttest.Endpoints(3))
	orders.Endpoint(0).Break(lifttest.Refuse())
	orders.Endpoint(1).Break(lifttest.Status(503))

	for range 20 {
		if got, err := Ship(t.Context(), m.Client(), "7"); err != nil || got != "/orders/7" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n := orders.Endpoint(2).Calls(); n != 20 {
		t.Errorf("the healthy instance got %d calls", n)
	}
}

func TestShipGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.New(t)
		orders := m.Service("orders", handler, lifttest.Config(func(c *mesh.ServiceConfig) {
			c.Timeout = time.Minute
			c.AttemptTimeout = 20 * time.Second
		}))
		orders.Endpoint(0).Break(lifttest.Hang())

		began := time.Now() // a bubble's minute takes no time
		if _, err := Ship(t.Context(), m.Client(), "7"); err == nil || time.Since(began) > time.Minute {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestShipUnderTheFilesPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.FromConfig(t, "testdata/lift.yaml") // orders: {timeout: 400ms, attempt_timeout: 150ms}
		orders := m.Service("orders", handler, lifttest.Endpoints(2))
		orders.Endpoint(0).Break(lifttest.Hang())
		orders.Endpoint(1).Break(lifttest.Hang())

		began := time.Now()
		if _, err := Ship(t.Context(), m.Client(), "7"); err == nil || time.Since(began) > 400*time.Millisecond {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestCheckSurvivesAReset(t *testing.T) {
	m := lifttest.New(t)
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	orders := m.Service("orders", server, lifttest.Endpoints(2))
	orders.Endpoint(0).Break(lifttest.Reset().Times(1))

	stub := healthpb.NewHealthClient(m.Client().Conn("orders"))
	for range 10 {
		ctx := sdk.With(t.Context(), sdk.Idempotent())
		if _, err := stub.Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.OK {
			t.Fatal(err)
		}
	}
}

// An example needs a testing.TB; a test of yours has one.
func Example() {
	t := testing.TB(quiet{}) // in a test: func TestX(t *testing.T)
	m := lifttest.New(t)
	orders := m.Service("orders", handler, lifttest.Endpoints(2))
	orders.Endpoint(0).Break(lifttest.Status(http.StatusBadGateway))

	resp, err := m.Client().HTTPClient().Get("http://orders/orders/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, string(body))
	// Output: 200 "/orders/7"
}

// quiet is a testing.TB for an example; nothing is cleaned up.
type quiet struct{ testing.TB }

func (quiet) Helper()           {}
func (quiet) Output() io.Writer { return io.Discard }
func (quiet) Cleanup(func())    {}

func ExampleMesh_Freeze() {
	m := lifttest.New(quiet{})
	orders := m.Service("orders", handler)
	_, _ = Ship(context.Background(), m.Client(), "7")

	m.Freeze(20 * time.Minute) // as long as a Lambda environment may stand still
	orders.Endpoint(0).HangUp()
	_, err := Ship(context.Background(), m.Client(), "8")
	fmt.Println(err)
	// Output: <nil>
}

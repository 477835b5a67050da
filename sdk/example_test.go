package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
)

// Order is what the examples ask for.
type Order struct {
	ID    int    `json:"id"`
	State string `json:"state"`
}

// newMesh stands for the engine in process. It answers everything of "orders"
// with one order, and knows no other service.
func newMesh() lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Service != "orders" {
			return nil, lift.Errorf(c, lift.UnknownService, "no service %q is configured; there is: orders", c.Service)
		}
		attempt := c.NewAttempt(lift.AttemptRecord{
			Endpoint: lift.Endpoint{Addr: "10.0.1.7:8080"}, Status: 200, Outcome: lift.OK, Reached: lift.Answered,
		})
		defer attempt.End()
		if c.Path == "/v1/orders/404" {
			attempt.Status, attempt.Outcome = 404, lift.CallerFault
			return &lift.Response{Status: 404, Body: lift.BytesBody([]byte(`{"error":"gone"}`))}, nil
		}
		etag := []lift.Field{{Name: "etag", Value: `"7-1"`}}
		return &lift.Response{Status: 200, Header: etag, Body: lift.BytesBody([]byte(`{"id":7,"state":"paid"}`))}, nil
	})
}

func ExampleDial() {
	client, err := sdk.Dial("") // $LIFT_SOCKET, else /tmp/lift/lift.sock
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	order, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(order.State)
}

func ExampleNew() {
	mesh := newMesh() // any lift.Caller
	client := sdk.New(mesh)

	order, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7")
	fmt.Println(order.State, err)
	// Output: paid <nil>
}

func ExampleGet() {
	client := sdk.New(newMesh())
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()

	order, err := sdk.Get[Order](ctx, client, "orders", "/v1/orders/7")
	fmt.Println(order.State, err)
	// Output: paid <nil>
}

func ExamplePost() {
	client := sdk.New(newMesh())
	ctx := context.Background()

	order, err := sdk.Post[Order](ctx, client, "orders", "/v1/orders", Order{ID: 7},
		sdk.Header("Idempotency-Key", "7f9c"),
		sdk.Timeout(2*time.Second))
	fmt.Println(order.ID, err)
	// Output: 7 <nil>
}

func ExamplePut() {
	client := sdk.New(newMesh())
	ctx := context.Background()

	order, err := sdk.Put[Order](ctx, client, "orders", "/v1/orders/7", Order{ID: 7, State: "paid"})
	fmt.Println(order.State, err)
	// Output: paid <nil>
}

func ExamplePatch() {
	client := sdk.New(newMesh())
	ctx := context.Background()

	order, err := sdk.Patch[Order](ctx, client, "orders", "/v1/orders/7", map[string]string{"state": "paid"},
		sdk.Header("Content-Type", "application/merge-patch+json"))
	fmt.Println(order.State, err)
	// Output: paid <nil>
}

func ExampleDelete() {
	client := sdk.New(newMesh())
	ctx := context.Background()

	// struct{}: the answer's body is not read.
	_, err := sdk.Delete[struct{}](ctx, client, "orders", "/v1/orders/7")
	fmt.Println(err)
	// Output: <nil>
}

func ExampleJSON() {
	client := sdk.New(newMesh())
	ctx := context.Background()

	_, err := sdk.JSON[struct{}](ctx, client, http.MethodOptions, "orders", "/v1/orders/7", nil)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleResponseIn() {
	client := sdk.New(newMesh())
	ctx := context.Background()

	var head sdk.Response
	order, err := sdk.Get[Order](ctx, client, "orders", "/v1/orders/7", sdk.ResponseIn(&head))
	fmt.Println(order.ID, head.Status, head.Header.Get("ETag"), err)
	// Output: 7 200 "7-1" <nil>
}

func ExampleClient_HTTPClient() {
	client := sdk.New(newMesh())

	resp, err := client.HTTPClient().Get("http://orders/v1/orders/7")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var order Order
	err = json.NewDecoder(resp.Body).Decode(&order)
	fmt.Println(resp.Status, order.State, err)
	// Output: 200 OK paid <nil>
}

func ExampleClient_Transport() {
	client := sdk.New(newMesh())

	// Under a client of your own: its cookies, its redirects, its middleware.
	mine := &http.Client{Transport: client.Transport(), Timeout: time.Second}
	resp, err := mine.Post("http://orders/v1/orders", "application/json", strings.NewReader(`{"id":7}`))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: {"id":7,"state":"paid"} <nil>
}

func ExampleWith() {
	client := sdk.New(newMesh())

	ctx := sdk.With(context.Background(), sdk.Tenant("acme"), sdk.Idempotent(), sdk.Timeout(time.Second))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://orders/v1/orders/7/touch", nil)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.HTTPClient().Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

func ExampleCallOption() {
	client := sdk.New(newMesh())

	_, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7",
		sdk.Timeout(300*time.Millisecond), // the whole call, retries included
		sdk.NotIdempotent(),               // this GET counts something: never send it twice
		sdk.HashKey("customer-12"),        // the same endpoint for the same customer
		sdk.Header("X-Reason", "audit"))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleRecord() {
	client := sdk.New(newMesh())

	var rec sdk.Record
	_, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7", sdk.RecordIn(&rec))
	endpoint, answered := rec.Endpoint()
	fmt.Println(endpoint.Addr, answered, err)
	for _, attempt := range rec.Attempts() {
		fmt.Println(attempt.Endpoint.Addr, attempt.Outcome, attempt.Status)
	}
	// Output:
	// 10.0.1.7:8080 true <nil>
	// 10.0.1.7:8080 ok 200
}

func ExampleStatusError() {
	client := sdk.New(newMesh())

	_, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/404")
	if said, ok := errors.AsType[*sdk.StatusError](err); ok && said.Status == http.StatusNotFound {
		fmt.Printf("no such order: %s\n", said.Body)
	}
	fmt.Println(err)
	// Output:
	// no such order: {"error":"gone"}
	// orders: GET /v1/orders/404: answered 404 Not Found by 10.0.1.7:8080
}

func Example_errors() {
	client := sdk.New(newMesh())

	_, err := sdk.Get[Order](context.Background(), client, "odrers", "/v1/orders/7")
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("no time left")
	case errors.Is(err, lift.AllOpen), errors.Is(err, lift.NoEndpoints):
		fmt.Println("orders is down; nothing was sent")
	default:
		if failed, ok := errors.AsType[*lift.Error](err); ok {
			fmt.Println(failed.Code, failed.Reached, len(failed.Attempts))
		}
	}
	// Output: unknown_service not_reached 0
}

func ExampleDirect() {
	client, err := sdk.Dial("", sdk.Direct(map[string]string{
		"orders": "http://orders.internal:8080",
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	var rec sdk.Record
	_, err = sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7", sdk.RecordIn(&rec))
	fmt.Println(rec.Direct(), err)
}

func ExampleAnswerLimit() {
	client := sdk.New(newMesh(), sdk.AnswerLimit(8))
	_, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7")
	fmt.Println(err)
	fmt.Println(errors.Is(err, lift.TooLarge))
	// Output:
	// lift: orders: too_large: GET /v1/orders/7 answered with 23 bytes, and the limit is 8 bytes; raise it by the client's option sdk.AnswerLimit, or stream the answer through client.HTTPClient() [attempt 1 at 10.0.1.7:8080: ok 200 after 0s]
	// true
}

func ExampleClock() {
	ahead := func() lift.Instant { // as a machine that slept for an hour
		now := lift.Now()
		now.Wall = now.Wall.Add(time.Hour)
		return now
	}
	client := sdk.New(newMesh(), sdk.Clock(ahead))
	_, err := sdk.Get[Order](context.Background(), client, "orders", "/v1/orders/7")
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_Invocation() {
	client := sdk.New(newMesh())

	// In a runtime of your own; aws-lambda-go has sdk/lambda for this.
	handle := func(ctx context.Context, requestID, trace string) error {
		ctx, done := client.Invocation(ctx, sdk.Invocation{ID: requestID, Trace: trace})
		defer done()
		_, err := sdk.Get[Order](ctx, client, "orders", "/v1/orders/7")
		return err
	}
	fmt.Println(handle(context.Background(), "25688f29", "Root=1-5f35ae12-0c0fec141ab77a00bc047aa2"))
	// Output: <nil>
}

func ExampleClient_Conn() {
	client, err := sdk.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx := context.Background()

	ctx = sdk.With(ctx, sdk.Idempotent(), sdk.HashKey("customer-12"))

	orders := healthpb.NewHealthClient(client.Conn("orders")) // orderspb.NewOrdersClient(...)
	answer, err := orders.Check(ctx, &healthpb.HealthCheckRequest{})
	if err == nil {
		fmt.Println(answer.GetStatus())
	}
	if failed, ok := errors.AsType[*lift.Error](err); ok {
		fmt.Println(status.Code(err), failed.Code, failed.Reached)
	}
}

func ExampleClient_Services() {
	engine := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", From: "static", Registry: static.New([]lift.Endpoint{{Addr: "10.0.1.7:8080"}, {Addr: "10.0.1.8:8080"}}),
	}}})
	defer engine.Close()
	engine.Warm(context.Background()) // waits for the first sets
	client := sdk.New(engine)

	services, err := client.Services(context.Background(), "orders") // without names: all
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range services {
		for _, e := range s.Endpoints {
			fmt.Println(s.Name, s.From, e.Addr, e.State, e.Why, e.InFlight)
		}
	}
	// Output:
	// orders static 10.0.1.7:8080 closed  0
	// orders static 10.0.1.8:8080 closed  0
}

func ExampleClient_Register() {
	client, err := sdk.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx := context.Background()

	err = client.Register(ctx, registry.Instance{
		ID: "orders-10.0.0.7", Service: "orders", Addr: "10.0.0.7:8080", Tags: []string{"v2"},
		Check: registry.Check{HTTP: "http://10.0.0.7:8080/healthz", Interval: 5 * time.Second},
	})
	if err != nil {
		log.Fatal(err)
	}
	serve := func() {} // until the program is told to end
	serve()
	_ = client.Deregister(ctx, "orders-10.0.0.7")
}

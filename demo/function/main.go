// Command function is the demo's Lambda function. In each invocation it calls
// the services "orders" (HTTP) and "stock" (gRPC) by name through Lift, and the
// same instances, in turn, through a plain http.Client and a plain gRPC client,
// all at the same time.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	stockpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/demo/report"
	"github.com/liftmesh/lift/sdk"
	liftlambda "github.com/liftmesh/lift/sdk/lambda"
)

func main() {
	client, err := sdk.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	f := &function{lift: client, plain: &http.Client{}, stock: stockpb.NewTestServiceClient(client.Conn("stock"))}
	lambda.Start(liftlambda.Wrap(client, f.handle))
}

type function struct {
	lift  *sdk.Client
	stock stockpb.TestServiceClient // through Lift
	plain *http.Client
	turn  atomic.Int64

	dial       sync.Once
	plainStock stockpb.TestServiceClient
	plainErr   error

	out  sync.WaitGroup // plain calls
	mu   sync.Mutex
	made []report.Call // plain calls that have ended since the last report
}

func (f *function) handle(ctx context.Context, order report.Order) ([]report.Call, error) {
	timeout := time.Duration(order.Timeout) * time.Millisecond
	f.dial.Do(func() { f.plainStock, f.plainErr = plainStock(order.PlainRPC) })
	if f.plainErr != nil {
		return nil, f.plainErr
	}
	calls := make([]report.Call, order.Gets+order.Posts+order.RPCs+order.Parts)
	var wg sync.WaitGroup
	for i := range calls {
		kind := report.Call{Post: i >= order.Gets}
		through := func(ctx context.Context, c *report.Call) { f.throughLift(ctx, c, "orders") }
		plain := func(ctx context.Context, c *report.Call) { f.throughPlain(ctx, c, order.Plain) }
		switch {
		case i >= order.Gets+order.Posts+order.RPCs:
			kind = report.Call{Way: report.Consul}
			through, plain = func(ctx context.Context, c *report.Call) { f.throughLift(ctx, c, "parts") }, nil
		case i >= order.Gets+order.Posts:
			kind = report.Call{Way: report.RPC}
			through = func(ctx context.Context, c *report.Call) { ask(sdk.With(ctx, sdk.Idempotent()), c, f.stock) }
			plain = func(ctx context.Context, c *report.Call) { ask(ctx, c, f.plainStock) }
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			lifted := kind
			lifted.Lift = true
			calls[i] = timed(lifted, func(c *report.Call) { through(ctx, c) })
		})
		if plain == nil {
			continue
		}
		f.out.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
			defer cancel()
			call := timed(kind, func(c *report.Call) { plain(ctx, c) })
			f.mu.Lock()
			defer f.mu.Unlock()
			f.made = append(f.made, call)
		})
	}
	wg.Wait()
	if order.Flush {
		f.out.Wait()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	calls = append(calls, f.made...) //nolint:makezero // after those above, which are all in place
	f.made = nil
	return calls, nil
}

func timed(c report.Call, call func(*report.Call)) report.Call {
	began := time.Now()
	call(&c)
	c.Took = time.Since(began).Microseconds()
	return c
}

type answer struct {
	Instance string `json:"instance"`
}

func (f *function) throughLift(ctx context.Context, c *report.Call, service string) {
	var rec sdk.Record
	var got answer
	var err error
	if c.Post {
		got, err = sdk.Post[answer](ctx, f.lift, service, "/", struct{}{}, sdk.RecordIn(&rec))
	} else {
		got, err = sdk.Get[answer](ctx, f.lift, service, "/", sdk.RecordIn(&rec))
	}
	c.OK, c.Instance, c.Attempts = err == nil, got.Instance, len(rec.Attempts())
	if err == nil {
		return
	}
	c.Error = err.Error()
	e, ok := errors.AsType[*lift.Error](err)
	c.Reached = !ok || e.Reached != lift.NotReached // a status is an answer: an instance was reached
}

func (f *function) throughPlain(ctx context.Context, c *report.Call, addrs []string) {
	method, body := http.MethodGet, ""
	if c.Post {
		method, body = http.MethodPost, "{}"
	}
	addr := addrs[int(f.turn.Add(1))%len(addrs)]
	err := func() error {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+"/", strings.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := f.plain.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		var got answer
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			return err
		}
		c.Instance = got.Instance
		return nil
	}()
	c.OK = err == nil
	if err != nil {
		c.Error = err.Error()
	}
}

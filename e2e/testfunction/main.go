// Command testfunction is the Lambda function of the end-to-end tests: its
// payload says which calls it makes and how it ends. Built with the tag lifttest
// it goes by the clock file that LIFT_TEST_CLOCK names, so that its moments are
// those of lift-extension.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/sdk"
	liftlambda "github.com/liftmesh/lift/sdk/lambda"
)

func main() {
	now, err := clock()
	if err != nil {
		log.Fatal(err)
	}
	client, err := sdk.Dial("", sdk.Clock(now))
	if err != nil {
		log.Fatal(err)
	}
	f := &function{lift: client.HTTPClient(), plain: &http.Client{}}
	if os.Getenv("TEST_BARE") != "" { // a function that tells nobody of its invocations
		lambda.Start(f.handle)
	}
	lambda.Start(liftlambda.Wrap(client, f.handle))
}

type function struct {
	lift, plain *http.Client

	mu    sync.Mutex
	late  []order.Answer // of background calls, until an invocation asks for them
	going sync.WaitGroup // background calls
}

func (f *function) handle(ctx context.Context, o order.Order) (order.Result, error) {
	began := time.Now()
	r := order.Result{PID: os.Getpid(), Answers: make([]order.Answer, len(o.Calls))}
	var work sync.WaitGroup
	for i, c := range o.Calls {
		switch {
		case c.Background:
			f.background(c)
		case o.AtOnce:
			work.Go(func() { r.Answers[i] = f.call(ctx, c) })
		default:
			r.Answers[i] = f.call(ctx, c)
		}
	}
	work.Wait()
	if o.Collect {
		f.going.Wait()
		f.mu.Lock()
		r.Late, f.late = f.late, nil
		f.mu.Unlock()
	}
	time.Sleep(time.Duration(o.Sleep))
	if deadline, ok := ctx.Deadline(); ok {
		r.Left = order.Duration(time.Until(deadline))
	}
	switch o.End {
	case "exit":
		os.Exit(3) //nolint:forbidigo // the test wants to see the process end
	case "panic":
		panic("as ordered")
	}
	r.Took = order.Duration(time.Since(began))
	return r, nil
}

// background makes a call that outlives the invocation.
func (f *function) background(c order.Call) {
	f.going.Go(func() {
		a := f.call(context.Background(), c)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.late = append(f.late, a)
	})
}

func (f *function) call(ctx context.Context, c order.Call) (a order.Answer) {
	if c.NoContext {
		ctx = context.Background()
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Timeout))
		defer cancel()
	}
	var rec sdk.Record
	client, url := f.lift, "http://"+c.Service+c.Path
	if c.Plain != "" {
		client, url = f.plain, "http://"+c.Plain+c.Path
	} else {
		ctx = sdk.With(ctx, sdk.RecordIn(&rec))
	}
	began := time.Now()
	err := send(ctx, client, c.Method, url, &a)
	a.Took = order.Duration(time.Since(began))
	for _, at := range rec.Attempts() {
		a.Attempts = append(a.Attempts, order.Attempt{
			Endpoint: at.Endpoint.Addr, Outcome: at.Outcome.String(), Fresh: at.Fresh, Probe: at.Probe,
			Reached: at.Reached.String(), Took: order.Duration(at.Duration()),
		})
	}
	if err == nil {
		return a
	}
	a.Error, a.Code = err.Error(), string(lift.CodeOf(err))
	if e, ok := errors.AsType[*lift.Error](err); ok {
		a.Reached = e.Reached.String()
	}
	return a
}

func send(ctx context.Context, client *http.Client, method, url string, a *order.Answer) error {
	body := ""
	if method == http.MethodPost {
		body = "{}"
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	a.Status = resp.StatusCode
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	var said struct{ Instance string }
	if err := json.Unmarshal(content, &said); err != nil {
		return fmt.Errorf("the answer %q: %w", content, err)
	}
	a.Instance = said.Instance
	return nil
}

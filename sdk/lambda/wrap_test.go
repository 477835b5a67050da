package liftlambda_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
	liftlambda "github.com/liftmesh/lift/sdk/lambda"
)

// session is a fake sidecar session: it keeps what it is told of invocations, and
// answers a call with the trace and tenant that came with it.
type session struct {
	mu   sync.Mutex
	told []string
}

func (s *session) Call(c *lift.Call) (*lift.Response, error) {
	text := fmt.Sprintf(`"%s %s"`, c.Tenant, lift.Get(c.Header, "X-Amzn-Trace-Id"))
	return &lift.Response{Status: 200, Body: lift.BytesBody([]byte(text))}, nil
}

func (s *session) InvocationStart(id string, deadline time.Time, trace, tenant string) {
	s.tell(fmt.Sprintf("start %s %v %s %s", id, !deadline.IsZero(), trace, tenant))
}

func (s *session) InvocationDone(id string) { s.tell("done " + id) }

func (s *session) tell(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, what)
}

func (s *session) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

type event struct {
	Name string `json:"name"`
}

type invoke func(ctx context.Context, payload []byte) ([]byte, error)

func (f invoke) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

func TestEveryKindOfHandler(t *testing.T) {
	var client *sdk.Client
	whoami := func(ctx context.Context) (string, error) {
		return sdk.Get[string](ctx, client, "orders", "/")
	}
	boom := errors.New("boom")
	ran := false
	tests := []struct {
		name    string
		handler any
		want    string
		err     error
	}{
		{"context, event, result", func(ctx context.Context, e event) (string, error) {
			who, err := whoami(ctx)
			return who + " " + e.Name, err
		}, `"acme Root=1-x ann"`, nil},
		{"event, result", func(e event) (string, error) { return e.Name, nil }, `"ann"`, nil},
		{"context, result", func(ctx context.Context) (string, error) { return whoami(ctx) }, `"acme Root=1-x"`, nil},
		{"context, error", func(ctx context.Context) error { ran = ctx.Err() == nil; return nil }, `null`, nil},
		{"event of any kind", func(e any) (any, error) { return e, nil }, `{"name":"ann"}`, nil},
		{"nothing", func() { ran = true }, `null`, nil},
		{"error", func(context.Context, event) (string, error) { return "", boom }, ``, boom},
		{"error alone", func() error { return boom }, ``, boom},
		{"reader", func(context.Context) (io.Reader, error) { return strings.NewReader("raw"), nil }, `raw`, nil},
		{"reader and error", func(context.Context) (io.Reader, error) { return strings.NewReader("raw"), boom }, ``, boom},
		{"no reader", func(context.Context) (io.Reader, error) { return nil, nil }, `null`, nil},
		{"value with Invoke", invoke(func(ctx context.Context, payload []byte) ([]byte, error) {
			who, err := whoami(ctx)
			return []byte(who + string(payload)), err
		}), `acme Root=1-x{"name":"ann"}`, nil},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprint("r", i)
			ctx, cancel := invocation(t, id)
			s := &session{}
			client = sdk.New(s)
			ran = false
			got, err := lambda.NewHandler(liftlambda.Wrap(client, tt.handler)).Invoke(ctx, []byte(`{"name":"ann"}`))
			cancel()
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s, %v", got, err, tt.want, tt.err)
			}
			want := []string{"start " + id + " true Root=1-x acme", "done " + id}
			if strings.HasPrefix(tt.name, "reader") && tt.err == nil {
				want = want[:1] // told by a goroutine of its own; see TestStreamingHandler
			}
			if heard := s.heard(); !slices.Equal(heard[:len(want)], want) {
				t.Errorf("the sidecar was told %v, want %v", heard, want)
			}
			if (tt.name == "nothing" || tt.name == "context, error") && !ran {
				t.Error("the handler did not run")
			}
		})
	}
}

func TestInvalidHandlersAreLeftToAWS(t *testing.T) {
	client := sdk.New(&session{})
	for _, handler := range []any{
		nil, 7, func(int, int) {}, func(fmt.Stringer) {}, func(context.Context, int, int) {},
		func() int { return 0 }, func() (int, int) { return 0, 0 }, func() (int, int, error) { return 0, 0, nil },
	} {
		_, got := lambda.NewHandler(liftlambda.Wrap(client, handler)).Invoke(t.Context(), []byte("1"))
		_, want := lambda.NewHandler(handler).Invoke(t.Context(), []byte("1"))
		if got == nil || want == nil || got.Error() != want.Error() {
			t.Errorf("%T: got %v, want %v", handler, got, want)
		}
	}
}

func TestPanicIsTheHandlersOwn(t *testing.T) {
	s := &session{}
	handler := lambda.NewHandler(liftlambda.Wrap(sdk.New(s), func(context.Context) error { panic("boom") }))
	ctx, cancel := invocation(t, "r1")
	defer cancel()
	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, _ = handler.Invoke(ctx, nil)
		t.Error("the panic was swallowed")
	}()
	if heard := s.heard(); len(heard) != 2 || heard[1] != "done r1" {
		t.Errorf("the sidecar was told %v", heard)
	}
}

// invocation makes a context like the one aws-lambda-go gives to a handler.
func invocation(t *testing.T, id string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: id, TenantID: "acme"})
	return context.WithValue(ctx, "x-amzn-trace-id", "Root=1-x"), cancel //nolint:staticcheck,revive // the key that aws-lambda-go uses
}

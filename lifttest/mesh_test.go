package lifttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/lifttest"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/sdk"
)

var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })

func post(ctx context.Context, m *lifttest.Mesh, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://orders/x?y=1", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := m.Client().HTTPClient().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		return resp.Status, err
	}
	return string(got), err
}

// What each fault does to a call that cannot be sent again.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault lifttest.Fault
		code  lift.Code
		says  string // without code: the answer
		took  time.Duration
		calls int
	}{
		{"refuse", lifttest.Refuse(), lift.Unavailable, "", 0, 0},
		{"hang", lifttest.Hang(), lift.AttemptTimeout, "", time.Second, 1},
		{"slow", lifttest.Slow(300 * time.Millisecond), "", "body", 300 * time.Millisecond, 1},
		{"status", lifttest.Status(503), "", "503 Service Unavailable", 0, 1},
		{"reset", lifttest.Reset(), lift.Unavailable, "", 0, 1},
		{"cut", lifttest.Cut(2), lift.BadResponse, "", 0, 1},
		{"cut after the end", lifttest.Cut(100), lift.Unavailable, "", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := lifttest.New(t)
				orders := m.Service("orders", echo)
				e := orders.Endpoint(0)
				e.Break(tt.fault)
				began := time.Now()
				got, err := post(t.Context(), m, "body")
				took := time.Since(began)
				if lift.CodeOf(err) != tt.code || tt.code == "" && got != tt.says || took < tt.took || took > tt.took+time.Second/2 {
					t.Errorf("got %q, %v after %s", got, err, took)
				}
				if e.Calls() != tt.calls {
					t.Errorf("it saw %d calls", e.Calls())
				}
				e.Heal()
				time.Sleep(time.Minute)
				if got, err := post(t.Context(), m, "body"); err != nil || got != "body" {
					t.Errorf("healed: %q, %v", got, err)
				}
				all := e.Requests()
				last := all[len(all)-1]
				if last.Method != "POST" || last.Path != "/x?y=1" || string(last.Body) != "body" || last.Fault != "" {
					t.Errorf("the request was %+v", last)
				}
				if tt.calls > 0 && all[0].Fault == "" {
					t.Error("the request does not tell of its fault")
				}
			})
		})
	}
}

func TestFaultsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.New(t)
		e := m.Service("orders", echo, lifttest.Config(func(c *mesh.ServiceConfig) { c.Breaker.Consecutive, c.Breaker.FailureRatio = 100, 1 })).Endpoint(0)
		for _, fault := range []lifttest.Fault{lifttest.Reset(), lifttest.Hang(), lifttest.Slow(2 * time.Second), lifttest.Cut(1)} {
			e.Break(fault.Times(2))
			for range 2 {
				if got, err := post(t.Context(), m, "body"); err == nil {
					t.Errorf("got %q in spite of the fault", got)
				}
				time.Sleep(time.Minute)
			}
			if got, err := post(t.Context(), m, "body"); err != nil || got != "body" {
				t.Errorf("after it passed: %q, %v", got, err)
			}
		}
		// Who hangs is answered once the endpoint heals.
		e.Break(lifttest.Hang())
		time.AfterFunc(500*time.Millisecond, e.Heal)
		if got, err := post(t.Context(), m, "body"); err != nil || got != "body" {
			t.Errorf("healed in time: %q, %v", got, err)
		}
	})
}

func TestSetsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.New(t)
		orders := m.Service("orders", echo)
		first := orders.Endpoint(0)
		second := orders.Add()
		orders.Remove(first)
		for range 5 {
			if _, err := post(t.Context(), m, ""); err != nil {
				t.Error(err)
			}
		}
		if first.Calls() != 0 || second.Calls() != 5 || len(orders.Endpoints()) != 1 || orders.Endpoint(1) != second {
			t.Errorf("%d and %d calls", first.Calls(), second.Calls())
		}
		orders.RegistryFails(errors.New("no route"))
		synctest.Wait()
		known, err := m.Client().Services(t.Context())
		if err != nil || known[0].Error != "no route" || known[0].Endpoints[0].Addr != second.Addr() {
			t.Errorf("got %+v, %v", known, err)
		}
		orders.Remove(second)
		if _, err := post(t.Context(), m, ""); lift.CodeOf(err) != lift.NoEndpoints {
			t.Errorf("nobody serves: %v", err)
		}

		// A service of the same name takes its place.
		m.Service("orders", http.NotFoundHandler())
		if got, err := post(t.Context(), m, ""); err != nil || got != "404 Not Found" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := sdk.Get[string](t.Context(), m.Client(), "users", "/"); lift.CodeOf(err) != lift.UnknownService {
			t.Errorf("got %v", err)
		}
	})
}

// A connection that died during a freeze costs no call, not even a POST.
func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.New(t)
		orders := m.Service("orders", echo)
		if _, err := post(t.Context(), m, ""); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		m.Freeze(15 * time.Minute)
		if time.Since(before) != 0 {
			t.Error("a freeze takes time")
		}
		orders.Endpoint(0).HangUp()
		if _, err := post(t.Context(), m, ""); err != nil {
			t.Errorf("after the thaw: %v", err)
		}
		known, err := m.Client().Services(t.Context(), "orders")
		if err != nil || known[0].At.Sub(before) != 15*time.Minute {
			t.Errorf("the engine's clock shows %s, %v", known[0].At, err)
		}
	})
}

type duplex struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (duplex) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the client has ended
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

func TestGRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.New(t)
		srv := grpc.NewServer()
		grpc_testing.RegisterTestServiceServer(srv, duplex{})
		orders := m.Service("orders", srv)
		stub := grpc_testing.NewTestServiceClient(m.Client().Conn("orders"))
		talk := func() error {
			stream, err := stub.FullDuplexCall(t.Context())
			if err != nil {
				return err
			}
			for range 3 {
				in := &grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: make([]byte, 1000)}}
				if err := stream.Send(in); err != nil {
					_, err = stream.Recv()
					return err
				}
				if _, err := stream.Recv(); err != nil {
					return err
				}
			}
			_ = stream.CloseSend()
			if _, err = stream.Recv(); errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := talk(); err != nil {
			t.Fatal(err)
		}
		e := orders.Endpoint(0)
		for _, tt := range []struct {
			fault lifttest.Fault
			code  codes.Code
		}{{lifttest.Cut(1500), codes.Unknown}, {lifttest.Reset(), codes.Unavailable}, {lifttest.Hang(), codes.DeadlineExceeded}, {lifttest.Status(503), codes.Unavailable}} {
			e.Break(tt.fault)
			if err := talk(); status.Code(err) != tt.code {
				t.Errorf("%+v: got %v", tt.fault, err)
			}
			e.Heal()
			time.Sleep(2 * time.Minute)
			if err := talk(); err != nil {
				t.Errorf("%+v, healed: %v", tt.fault, err)
			}
		}
		if _, err := stub.UnaryCall(t.Context(), &grpc_testing.SimpleRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
	})
}

// Every Go snippet of docs/testing.md is a run of lines of the examples.
func TestDocumentationIsCompiled(t *testing.T) {
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := strings.Split(string(page), "```go\n")[1:]
	if len(snippets) < 4 {
		t.Errorf("found %d snippets", len(snippets))
	}
	for _, s := range snippets {
		s, _, _ = strings.Cut(s, "```")
		if !strings.Contains(string(examples), s) {
			t.Errorf("no example has these lines:\n%s", s)
		}
	}
}

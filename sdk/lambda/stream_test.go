package liftlambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/liftmesh/lift/sdk"
	liftlambda "github.com/liftmesh/lift/sdk/lambda"
)

// asFunction makes this test program a Lambda function: invocation "stream"
// streams two words, the second once the gate at the URL opens; "told" returns
// what the sidecar has been told so far.
const asFunction = "LIFT_TEST_FUNCTION_GATE"

func TestMain(m *testing.M) {
	gate := os.Getenv(asFunction)
	if gate == "" {
		os.Exit(m.Run())
	}
	s := &session{}
	lambda.Start(liftlambda.Wrap(sdk.New(s), func(_ context.Context, what string) (any, error) {
		if what == "told" {
			return s.heard(), nil
		}
		r, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, "first ")
			resp, err := http.Get(gate) // the test's own server
			if err == nil {
				_ = resp.Body.Close()
			}
			_, _ = io.WriteString(w, "second")
			_ = w.CloseWithError(err)
		}()
		return r, nil
	}))
}

// With the real aws-lambda-go loop: a wrapped handler still streams, a plain
// result is still JSON, and the invocation is over when its answer has been sent.
func TestStreamingHandler(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	gate := make(chan struct{})
	invocations := make(chan string, 2)
	type answer struct{ id, contentType, body string }
	answers := make(chan answer, 2)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /gate", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	})
	n := 0
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case payload := <-invocations:
			n++
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprint("r", n))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Trace-Id", "Root=1-x")
			w.Header().Set("Lambda-Runtime-Aws-Tenant-Id", "acme")
			_, _ = io.WriteString(w, payload)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		a := answer{id: r.PathValue("id"), contentType: r.Header.Get("Content-Type")}
		if a.id == "r1" { // the first word has to be here before the second is written
			first := make([]byte, len("first "))
			if _, err := io.ReadFull(r.Body, first); err != nil {
				t.Errorf("the first word: %v", err)
			}
			a.body = string(first)
			close(gate)
		}
		rest, _ := io.ReadAll(r.Body)
		a.body += string(rest)
		w.WriteHeader(http.StatusAccepted)
		answers <- a
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()

	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = []string{
		asFunction + "=" + srv.URL + "/gate",
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(srv.URL, "http://"),
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	next := func(payload string) answer {
		invocations <- payload
		select {
		case a := <-answers:
			return a
		case <-ctx.Done():
			t.Fatal("no answer within 10 s")
			panic("unreachable")
		}
	}

	if got, want := next(`"stream"`), (answer{"r1", "application/octet-stream", "first second"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got := next(`"told"`)
	var told []string
	if err := json.Unmarshal([]byte(got.body), &told); err != nil || got.contentType != "application/json" {
		t.Fatalf("got %+v: %v", got, err)
	}
	// The word that r1 is done leaves in a goroutine of its own.
	slices.Sort(told)
	if !slices.Contains(told, "start r1 true Root=1-x acme") || !slices.Contains(told, "start r2 true Root=1-x acme") {
		t.Errorf("the sidecar was told %v", told)
	}
}

// A handler that streams is done when the runtime's context is over, not before.
func TestStreamIsDoneWithItsContext(t *testing.T) {
	s := &session{}
	done := make(chan struct{})
	client := sdk.New(doneTeller{s, done})
	handler, ok := liftlambda.Wrap(client, func() (io.Reader, error) { return strings.NewReader("x"), nil }).(func(context.Context) (io.Reader, error))
	if !ok {
		t.Fatal("the wrapped handler has another signature than that of the original, with a context")
	}
	ctx, cancel := invocation(t, "r1")
	if _, err := handler(ctx); err != nil {
		t.Fatal(err)
	}
	if heard := s.heard(); len(heard) != 1 {
		t.Errorf("the sidecar was told %v before the answer was sent", heard)
	}
	cancel()
	<-done
	if heard := s.heard(); len(heard) != 2 || heard[1] != "done r1" {
		t.Errorf("the sidecar was told %v", heard)
	}
	// A context that never ends cannot tell: the handler's return has to do.
	if _, err := handler(context.Background()); err != nil {
		t.Fatal(err)
	}
	if heard := s.heard(); len(heard) != 4 || heard[3] != "done " {
		t.Errorf("the sidecar was told %v", heard)
	}
}

type doneTeller struct {
	*session
	done chan struct{}
}

func (d doneTeller) InvocationDone(id string) {
	d.session.InvocationDone(id)
	if id == "r1" {
		close(d.done)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar"
)

// running starts a sidecar over caller and returns its socket.
func running(t *testing.T, caller lift.CallerFunc) string {
	t.Helper()
	return serving(t, caller)
}

// serving is running for any caller.
func serving(t *testing.T, caller lift.Caller) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	server, err := sidecar.Listen(sidecar.Config{Socket: socket, Caller: caller})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		cancel()
		<-ended
	})
	return socket
}

// record writes two attempts into c as a data plane does.
func record(c *lift.Call) {
	began := lift.Now()
	ended := lift.Instant{Wall: began.Wall.Add(1500 * time.Microsecond), Mono: began.Mono + 1500*time.Microsecond}
	c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.1:80"}, Began: began, Ended: ended, Outcome: lift.Failed, Fresh: true, Err: errors.New("refused")})
	later := lift.Instant{Wall: began.Wall.Add(time.Second), Mono: began.Mono + time.Second}
	ended.Wall, ended.Mono = ended.Wall.Add(time.Second), ended.Mono+time.Second
	c.NewAttempt(lift.AttemptRecord{
		Endpoint: lift.Endpoint{Addr: "10.0.0.2:80", ID: "b", Zone: "use1-az1"}, Began: later, Ended: ended, Outcome: lift.OK, Status: 201, Reached: lift.Answered,
		Candidates: 2, Why: "next in turn", Timeout: time.Second, Probe: true, Queued: 500 * time.Microsecond, Sending: 250 * time.Microsecond,
	})
}

func TestCall(t *testing.T) {
	var got *lift.Call
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		body, err := c.Body.ReadAll(0)
		if err != nil {
			return nil, err
		}
		got = &lift.Call{Service: c.Service, Method: c.Method, Path: c.Path, Header: c.Header, Idempotent: c.Idempotent, Timeout: c.Timeout}
		record(c)
		return &lift.Response{Status: http.StatusCreated, Header: []lift.Field{{Name: "X-Answer", Value: "42"}}, Body: lift.BytesBody([]byte("got " + string(body)))}, nil
	})
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args  []string
		stdin string
		want  *lift.Call
		out   string
	}{
		"plain": {[]string{"orders"}, "", &lift.Call{Service: "orders", Method: "GET", Path: "/"}, "got "},
		"data": {
			[]string{"orders", "/o?x=1", "-d", "hello", "-H", "X-A: 1", "-H", "X-B:2", "--idempotent", "--timeout", "3s"}, "",
			&lift.Call{Service: "orders", Method: "POST", Path: "/o?x=1", Idempotent: lift.Idempotent, Timeout: 3 * time.Second, Header: []lift.Field{{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}}}, "got hello",
		},
		"method and path": {[]string{"orders", "DELETE", "/o/1"}, "", &lift.Call{Service: "orders", Method: "DELETE", Path: "/o/1"}, "got "},
		"method alone":    {[]string{"orders", "PUT", "-d", "x"}, "", &lift.Call{Service: "orders", Method: "PUT", Path: "/"}, "got x"},
		"an odd method":   {[]string{"orders", "purge", "/"}, "", &lift.Call{Service: "orders", Method: "purge", Path: "/"}, "got "},
		"empty stdin":     {[]string{"orders", "-d", "@-"}, "", &lift.Call{Service: "orders", Method: "POST", Path: "/"}, "got "},
		"file":            {[]string{"orders", "-d", "@" + file}, "", &lift.Call{Service: "orders", Method: "POST", Path: "/"}, "got from file"},
		"stdin":           {[]string{"orders", "-X", "PUT", "-d", "@-"}, "from stdin", &lift.Call{Service: "orders", Method: "PUT", Path: "/"}, "got from stdin"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append([]string{"call", "--socket", socket}, test.args...)
			if code := run(t.Context(), args, streams{strings.NewReader(test.stdin), &out, &errs}, nothing); code != exitOK || errs.Len() > 0 {
				t.Fatalf("exit code %d: %s", code, &errs)
			}
			if out.String() != test.out {
				t.Errorf("standard output %q, want %q", &out, test.out)
			}
			if got.Service != test.want.Service || got.Method != test.want.Method || got.Path != test.want.Path ||
				got.Idempotent != test.want.Idempotent || got.Timeout != test.want.Timeout {
				t.Errorf("called %s %s %s %v %s", got.Service, got.Method, got.Path, got.Idempotent, got.Timeout)
			}
			for _, h := range test.want.Header {
				if lift.Get(got.Header, h.Name) != h.Value {
					t.Errorf("field %s is %q, want %q", h.Name, lift.Get(got.Header, h.Name), h.Value)
				}
			}
		})
	}
}

func TestCallSaysHowItWent(t *testing.T) {
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		record(c)
		body := lift.BytesBody([]byte("body"))
		body.SetTrailer([]lift.Field{{Name: "X-Sum", Value: "7"}})
		return &lift.Response{Status: http.StatusCreated, Header: []lift.Field{{Name: "X-Answer", Value: "42"}}, Body: body}, nil
	})
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"call", "-v", "orders", "--socket", socket}, streams{nil, &out, &errs}, nothing); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	for _, want := range []string{
		`(?m)^attempt 1: 10\.0\.0\.1:80 failed after 1\.5ms, fresh, not_reached: refused$`,
		`(?m)^attempt 2 at 1(\.0\d\d)?s: 10\.0\.0\.2:80 ok 201 after 1\.5ms, warm, answered, queued for 500µs, probe, picked: next in turn, of 2$`,
		`(?m)^< 201 Created$`,
		`(?mi)^< X-Answer: 42$`,
		`(?mi)^< trailer X-Sum: 7$`,
		`(?m)^took [\d.]+[µm]?s$`,
	} {
		if !regexp.MustCompile(want).MatchString(errs.String()) {
			t.Errorf("standard error has no %s:\n%s", want, &errs)
		}
	}
	if out.String() != "body" {
		t.Errorf("standard output %q", &out)
	}
}

func TestCallFails(t *testing.T) {
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		record(c)
		return nil, lift.Errorf(c, lift.AllOpen, "nobody is left")
	})
	for _, verbose := range []bool{false, true} {
		var out, errs bytes.Buffer
		args := []string{"call", "orders", "--socket", socket}
		if verbose {
			args = append(args, "-v")
		}
		code := run(t.Context(), args, streams{nil, &out, &errs}, nothing)
		if code != exitFailed || out.Len() > 0 {
			t.Errorf("exit code %d, standard output %q", code, &out)
		}
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "lift: orders: all_open: nobody is left") {
			t.Errorf("standard error ends with %q", last)
		}
		if want := map[bool]int{false: 1, true: 3}[verbose]; len(lines) != want {
			t.Errorf("%d lines on standard error, want %d:\n%s", len(lines), want, &errs)
		}
	}
}

func TestCallIsInterrupted(t *testing.T) {
	arrived := make(chan struct{})
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		close(arrived)
		<-c.Done()
		return nil, lift.Errorf(c, lift.CallCanceled, "the caller gave up")
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"call", "orders", "--timeout", "1m", "--socket", socket}, streams{nil, &out, &errs}, nothing); code != exitFailed {
		t.Errorf("exit code %d: %s", code, &errs)
	}
	if !strings.Contains(errs.String(), string(lift.CallCanceled)) {
		t.Errorf("standard error %q", &errs)
	}
}

func TestSocketOfTheCall(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"LIFT_SOCKET": "/from/variable"}[name]
		return v, ok
	}
	if got := socketPath("", lookup); got != "/from/variable" {
		t.Errorf("with a variable: %s", got)
	}
	if got := socketPath("/from/flag", lookup); got != "/from/flag" {
		t.Errorf("with a flag: %s", got)
	}
	if got := socketPath("", nothing); got != "/tmp/lift/lift.sock" {
		t.Errorf("with nothing: %s", got)
	}
}

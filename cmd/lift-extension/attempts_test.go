package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
)

// logged is the log line of a call to orders, whose two endpoints refuse.
func logged(t *testing.T, handler func(*bytes.Buffer, *slog.HandlerOptions) slog.Handler) string {
	t.Helper()
	var addrs [2]string
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = l.Addr().String()
		_ = l.Close()
	}
	cfg := parse(t, "services: {orders: {from: static, endpoints: [%q, %q]}}\n", addrs[0], addrs[1])
	var out bytes.Buffer
	p := build(cfg, slog.New(handler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	call := &lift.Call{Service: "orders", Path: "/"}
	if _, err := p.mesh.Call(call); err == nil {
		t.Fatal("a call to endpoints that refuse succeeded")
	}
	call.End()
	p.mesh.Close()
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "attempts") {
			return line
		}
	}
	t.Fatalf("no line has attempts:\n%s", &out)
	return ""
}

// A call's line has its attempts under one key, as an array.
func TestAttemptsAreOneArray(t *testing.T) {
	line := logged(t, func(b *bytes.Buffer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(b, o) })
	var got struct{ Attempts []attemptLine }
	if err := json.Unmarshal([]byte(line), &got); err != nil || len(got.Attempts) != 2 {
		t.Fatalf("%v: %s", err, line)
	}
	for _, a := range got.Attempts {
		if a.Endpoint == "" || a.Outcome != "failed" || a.Why == "" || !a.Fresh || !strings.Contains(a.Error, "refused") {
			t.Errorf("%+v", a)
		}
	}
	if n := strings.Count(line, `"attempt`); n != 1 {
		t.Errorf("%d keys for attempts: %s", n, line)
	}

	line = logged(t, func(b *bytes.Buffer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(b, o) })
	_, attempts, _ := strings.Cut(line, "attempts=")
	if strings.Count(attempts, " failed after ") != 2 || strings.Contains(attempts, "attempts=") {
		t.Errorf("in text: %s", line)
	}
}

// What an attempt waited for, other than its endpoint, is told if there was any.
func TestAttemptThatWaited(t *testing.T) {
	began := lift.Now()
	ended := lift.Instant{Wall: began.Wall.Add(3 * time.Second), Mono: began.Mono + 3*time.Second}
	lines := linesOf([]lift.AttemptRecord{{Endpoint: lift.Endpoint{Addr: "a:1"}, Began: began, Ended: ended, Why: "only", Outcome: lift.OK, Queued: time.Second, Sending: 1500 * time.Millisecond}, {Endpoint: lift.Endpoint{Addr: "a:1"}, Began: began, Ended: ended, Why: "only", Outcome: lift.OK}})
	if got, want := lines.String(), "a:1 ok after 3s (only), queued for 1s, the caller sending for 1.5s; a:1 ok after 3s (only)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text, err := json.Marshal(lines); err != nil || strings.Count(string(text), `"queued":"1s","sending":"1.5s"`) != 1 || strings.Count(string(text), "queued") != 1 {
		t.Errorf("%s, %v", text, err)
	}
}

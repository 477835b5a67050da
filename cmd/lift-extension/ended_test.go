package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
)

// At the level debug each call is one line, at its end, with what was decided; also a
// call that no service took.
func TestALineForEachCallsEnd(t *testing.T) {
	cfg := parse(t, "services: {orders: {from: static, endpoints: [\"127.0.0.1:1\"], retry: {attempts: 1}}}\n")
	var out bytes.Buffer
	p := build(cfg, slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	ended := func(service string, timeout time.Duration) string {
		c := &lift.Call{Service: service, Path: "/", Timeout: timeout}
		_, err := p.mesh.Call(c)
		c.End()
		return err.Error()
	}
	type line struct {
		Msg, Service, Took, Error string
		Decisions                 []string
		Attempts                  []attemptLine
	}
	want := []line{
		{Service: "nobody", Error: ended("nobody", 0)},
		{Service: "orders", Error: ended("orders", time.Second), Decisions: []string{
			"the call's own timeout, 1s, replaced the service's", "not sent again: it was sent 1 times, which is retry.attempts"}},
	}
	p.mesh.Close() // nothing is logged any more
	var got []line
	for text := range strings.Lines(out.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if l.Msg == "call" {
			l.Decisions = slices.DeleteFunc(l.Decisions, func(d string) bool { return strings.HasPrefix(d, "waited ") })
			got = append(got, l)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines for %d calls: %s", len(got), len(want), &out)
	}
	for i, l := range got {
		if l.Service != want[i].Service || l.Took == "" || l.Error != want[i].Error || !slices.Equal(l.Decisions, want[i].Decisions) || l.Attempts == nil {
			t.Errorf("%+v, want %+v", l, want[i])
		}
	}
}

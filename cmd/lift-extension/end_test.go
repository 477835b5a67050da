package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sidecar/socket"
)

// lines is a log that a test reads.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

// with returns the lines with this message.
func (l *lines) with(t *testing.T, msg string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.out.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if text, _ := fields["msg"].(string); strings.Contains(text, msg) {
			found = append(found, fields)
		}
	}
	return found
}

// busy is a server with calls that end at their times.
type busy struct {
	server
	calls []time.Duration // since began
	began time.Time
	cut   int
}

func (b *busy) running() (n int) {
	for _, end := range b.calls {
		if time.Since(b.began) < end {
			n++
		}
	}
	return n
}

func (b *busy) Announce() {}

func (b *busy) Traffic() socket.Traffic {
	return socket.Traffic{Peers: 1, Running: b.running(), Begun: uint64(len(b.calls)), Cut: uint64(b.cut)} //nolint:gosec // small
}

func (b *busy) Drain(ctx context.Context) error {
	for b.running() > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			b.cut = b.running()
			return ctx.Err()
		}
	}
	return nil
}

// Two signals within oneSignal are one; a later one ends the drain. Either way one
// line says how long it took and what became of the calls.
func TestEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		signals map[time.Duration]os.Signal // after the one that began it
		took    time.Duration
		cut     int
	}{
		{"one signal", nil, 10 * time.Second, 0},
		{"the process and its group", map[time.Duration]os.Signal{50 * time.Millisecond: syscall.SIGTERM}, 10 * time.Second, 0},
		{"just within", map[time.Duration]os.Signal{199 * time.Millisecond: os.Interrupt}, 10 * time.Second, 0},
		{"a second one later", map[time.Duration]os.Signal{500 * time.Millisecond: syscall.SIGTERM}, 500 * time.Millisecond, 2},
		{"twice, then in earnest", map[time.Duration]os.Signal{10 * time.Millisecond: syscall.SIGTERM, 5 * time.Second: syscall.SIGTERM}, 5 * time.Second, 1},
		{"SIGHUP ends nothing", map[time.Duration]os.Signal{time.Second: syscall.SIGHUP}, 10 * time.Second, 0},
		{"up to drain.max", nil, 20 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, signals, began := &lines{}, make(chan os.Signal, 4), time.Now()
				b := &busy{began: began, calls: []time.Duration{-1, 2 * time.Second, 9900 * time.Millisecond}}
				if tt.took == 20*time.Second {
					b.calls[2] = time.Hour
				}
				log := slog.New(slog.NewJSONHandler(out, nil))
				s := &stay{
					program: &program{log: log, now: lift.Now, signals: signals},
					holds:   &config.Config{Drain: config.Drain{Max: 20 * time.Second, Quiet: 100 * time.Millisecond}},
					in:      doors{{name: "a door", log: log, server: b}}, ended: make(chan ending),
				}
				for after, sig := range tt.signals {
					time.AfterFunc(after, func() { signals <- sig })
				}
				s.end()
				if took := time.Since(began); took < tt.took-100*time.Millisecond || took > tt.took+100*time.Millisecond {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				all := out.with(t, "drained")
				if len(all) != 1 {
					t.Fatalf("%d lines say that it drained", len(all))
				}
				line := all[0]
				said, err := time.ParseDuration(line["took"].(string))
				if took := time.Since(began); err != nil || said != took.Round(time.Millisecond) {
					t.Errorf("it says that it took %s, %v; it took %s", said, err, took)
				}
				if line["cut"] != float64(tt.cut) || line["finished"] != float64(2-tt.cut) || (line["level"] == "WARN") != (tt.cut > 0) {
					t.Errorf("%v", line)
				}
			})
		})
	}
}

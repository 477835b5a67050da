package sidecar_test

import (
	"crypto/rand"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

// TestRulesOfTheSession breaks each rule that concerns the whole session: it ends
// with an error that says which, and others live on.
func TestRulesOfTheSession(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{})
	conn := connect(t, socket)
	whole := func(id uint64) *liftv1.ClientFrame { return call(&liftv1.Call{Id: id, Service: "a", End: true}) }
	for _, tt := range []struct {
		name   string
		frames []*liftv1.ClientFrame
		says   string
	}{
		{"call before hello", []*liftv1.ClientFrame{whole(1)}, "begins with Hello"},
		{"nothing before hello", nil, "begins with Hello"},
		{"two hellos", []*liftv1.ClientFrame{hello(), hello()}, "Hello came twice"},
		{"call id 0", []*liftv1.ClientFrame{hello(), whole(0)}, "ids grow"},
		{"duplicate call id", []*liftv1.ClientFrame{hello(), whole(7), whole(7)}, "ids grow"},
		{"lower call id", []*liftv1.ClientFrame{hello(), whole(7), whole(6)}, "ids grow"},
		{"data for an unknown call", []*liftv1.ClientFrame{hello(), data(1, 1, false)}, "never began"},
		{"credit for an unknown call", []*liftv1.ClientFrame{hello(), credit(1, 1)}, "never began"},
		{"cancel of an unknown call", []*liftv1.ClientFrame{hello(), whole(1), cancel(2)}, "never began"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := session(t, conn)
			r.send(tt.frames...)
			var err error
			for err == nil {
				_, err = r.next()
			}
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v; want one that says %q", err, tt.says)
			}
		})
	}
	r := greeted(t, conn)
	r.send(whole(1))
	if f, err := r.next(); err != nil || !f.GetAnswer().GetEnd() {
		t.Errorf("afterwards: %v, %v", f, err)
	}
}

// TestRulesOfACall breaks each rule that concerns one call: it ends alone.
func TestRulesOfACall(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Service == "waits" {
			<-c.Done()
			return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
		}
		return echo(c)
	}), sidecar.Config{Limits: sidecar.Limits{MaxHeader: 1000, MaxBuffered: 300 << 10}})
	conn := connect(t, socket)
	open := call(&liftv1.Call{Id: 1, Service: "waits", BodySize: -1})
	for _, tt := range []struct {
		name   string
		frames []*liftv1.ClientFrame
		code   lift.Code
	}{
		{"oversize data", []*liftv1.ClientFrame{open, data(1, 16<<10+1, false)}, lift.InvalidCall},
		{"oversize first body", []*liftv1.ClientFrame{call(&liftv1.Call{Id: 1, Service: "waits", Body: make([]byte, 16<<10+1)})}, lift.InvalidCall},
		{"beyond the window", []*liftv1.ClientFrame{open, data(1, 16<<10, false), data(1, 16<<10, false), data(1, 16<<10, false), data(1, 16<<10, false), data(1, 1, false)}, lift.InvalidCall},
		{"data after the end", []*liftv1.ClientFrame{open, data(1, 1, true), data(1, 1, false)}, lift.InvalidCall},
		{"data for a whole call", []*liftv1.ClientFrame{call(&liftv1.Call{Id: 1, Service: "waits", End: true}), data(1, 1, false)}, lift.InvalidCall},
		{"credit overflow", []*liftv1.ClientFrame{open, credit(1, 1<<31-1), credit(1, 1<<31-1)}, lift.InvalidCall},
		{"header over the limit", []*liftv1.ClientFrame{call(&liftv1.Call{Id: 1, Service: "a", End: true, Header: []*liftv1.Field{{Name: "a", Value: make([]byte, 1000)}}})}, lift.TooLarge},
		{"path over the limit", []*liftv1.ClientFrame{call(&liftv1.Call{Id: 1, Service: "a", End: true, Path: strings.Repeat("p", 1001)})}, lift.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := greeted(t, conn)
			r.send(tt.frames...)
			f, err := r.next()
			if err != nil || f.GetAnswer().GetError().GetCode() != string(tt.code) {
				t.Fatalf("%v, %v; want %s", f, err, tt.code)
			}
			r.send(data(1, 1, false), credit(1, 1), cancel(1)) // late frames of a call that has ended
			r.send(call(&liftv1.Call{Id: 2, Service: "echo", Body: []byte("hi"), End: true}))
			if f, err = r.next(); err != nil || string(f.GetAnswer().GetBody()) != "hi" {
				t.Errorf("the next call: %v, %v", f, err)
			}
		})
	}
	t.Run("more bodies than may be held", func(t *testing.T) {
		r := greeted(t, conn)
		for id := range uint64(6) { // 6 windows of 64 KiB against 300 KiB
			r.send(call(&liftv1.Call{Id: id + 1, Service: "waits", BodySize: -1}))
			for range 4 {
				r.send(data(id+1, 16<<10, false))
			}
		}
		if f, err := r.next(); err != nil || f.GetAnswer().GetError().GetCode() != string(lift.Busy) {
			t.Fatalf("%v, %v", f, err)
		}
	})
}

// TestUnknownFramesAreIgnored sends what a newer SDK might.
func TestUnknownFramesAreIgnored(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{})
	r := greeted(t, connect(t, socket))
	unknown := &liftv1.ClientFrame{}
	unknown.ProtoReflect().SetUnknown([]byte{0xfa, 0x01, 0x01, 0x00}) // field 31
	r.send(unknown, call(&liftv1.Call{Id: 1, End: true}))
	if f, err := r.next(); err != nil || f.GetAnswer().GetStatus() != 200 {
		t.Errorf("%v, %v", f, err)
	}
}

// TestGarbageOnTheSocket speaks anything but HTTP/2.
func TestGarbageOnTheSocket(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{Limits: sidecar.Limits{HelloWithin: time.Second}})
	noise := make([]byte, 64<<10)
	_, _ = rand.Read(noise)
	for name, bytes := range map[string][]byte{
		"noise":                noise,
		"http/1.1":             []byte("GET / HTTP/1.1\r\nHost: orders\r\n\r\n"),
		"nothing":              nil,
		"preface, then noise":  append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), noise...),
		"half a preface":       []byte("PRI * HT"),
		"preface and settings": []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\xff\xff\xff\x00\x00\x00\x00\x00\x01"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.Write(bytes)
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("the connection stays: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		r := greeted(t, connect(t, socket))
		r.send(call(&liftv1.Call{Id: 1, End: true}))
		if f, err := r.next(); err != nil || f.GetAnswer().GetStatus() != 200 {
			t.Errorf("afterwards: %v, %v", f, err)
		}
	})
}

// TestPeerThatStopsReading keeps sending calls and reads no answer. What it makes
// the sidecar hold is bounded, its calls end, and others go on.
func TestPeerThatStopsReading(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Service == "large" {
			return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(zeros{}), -1, 0)}, nil
		}
		return &lift.Response{Status: 200, Body: lift.BytesBody(make([]byte, 10_000))}, nil
	}), sidecar.Config{Limits: sidecar.Limits{MaxCallsPerPeer: 64}})
	deaf := greeted(t, connect(t, socket))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for id := range uint64(20_000) {
			service := "small"
			if id%10 == 0 {
				service = "large"
			}
			err := deaf.Send(&liftv1.ClientFrames{Frames: []*liftv1.ClientFrame{call(&liftv1.Call{
				Id: id + 1, Service: service, End: true, DeadlineUnixNanos: time.Now().Add(300 * time.Millisecond).UnixNano(),
			})}})
			if err != nil {
				return
			}
		}
	}()
	other := greeted(t, connect(t, socket))
	for id := range uint64(500) {
		other.send(call(&liftv1.Call{Id: id + 1, Service: "small", End: true}))
		if f, err := other.next(); err != nil || len(f.GetAnswer().GetBody()) != 10_000 {
			t.Fatalf("call %d of another peer: %v, %v", id, f, err)
		}
	}
	select {
	case <-sent:
		t.Error("all of 20,000 calls were taken from a peer that reads nothing")
	default:
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

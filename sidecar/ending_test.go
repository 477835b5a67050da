package sidecar_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

// end is what is told of one call.
type end struct {
	lift.Ending
	service string
}

// watched is a Caller whose calls are observed.
type watched struct {
	lift.Caller
	ends chan end
}

func watch(caller lift.Caller) *watched { return &watched{caller, make(chan end, 100)} }

// Observe implements lift.Observed.
func (w *watched) Observe(c *lift.Call) {
	c.Observe(lift.Now, func(c *lift.Call, e lift.Ending) { w.ends <- end{e, c.Service} })
}

// Call implements lift.Caller, as the mesh does.
func (w *watched) Call(c *lift.Call) (*lift.Response, error) {
	w.Observe(c)
	resp, err := w.Caller.Call(c)
	if err != nil {
		c.Fail(err)
	} else {
		c.Answered(resp, lift.Now())
	}
	return resp, err
}

func (w *watched) next(t *testing.T) end {
	t.Helper()
	select {
	case e := <-w.ends:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no end is told")
		return end{}
	}
}

func (w *watched) none(t *testing.T) {
	t.Helper()
	select {
	case e := <-w.ends:
		t.Errorf("one more end is told: %+v", e)
	case <-time.After(20 * time.Millisecond):
	}
}

// Every call that comes by a session is told once, at its end, also those that the
// door refuses by itself.
func TestEndsOfCallsOfASession(t *testing.T) {
	body, pipe := io.Pipe()
	waiting := make(chan struct{}, 9)
	w := watch(lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		switch c.Service {
		case "streams":
			return &lift.Response{Status: 200, Body: lift.StreamBody(body, -1, 0)}, nil
		case "waits":
			waiting <- struct{}{}
			<-c.Done()
			return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
		case "fails":
			return nil, lift.Errorf(c, lift.AllOpen, "as asked")
		}
		return echo(c)
	}))
	srv, socket := start(t, w, sidecar.Config{Limits: sidecar.Limits{MaxCallsPerPeer: 2, MaxHeader: 1000}})
	s := greeted(t, connect(t, socket))

	for id, tt := range []struct {
		call *liftv1.Call
		code lift.Code
	}{
		{&liftv1.Call{Service: "echo", End: true}, ""},
		{&liftv1.Call{Service: "fails", End: true}, lift.AllOpen},
		{&liftv1.Call{Service: "header", End: true, Path: strings.Repeat("x", 1001)}, lift.TooLarge},
		{&liftv1.Call{Service: "frame", End: true, Body: make([]byte, 17<<10)}, lift.InvalidCall},
	} {
		tt.call.Id = uint64(id + 1)
		s.send(call(tt.call))
		if e := w.next(t); lift.CodeOf(e.Err) != tt.code || e.service != tt.call.GetService() || (e.Status == 200) != (tt.code == "") {
			t.Errorf("%s: %+v", tt.call.GetService(), e)
		}
		w.none(t)
	}

	s.send(call(&liftv1.Call{Id: 10, Service: "streams", End: true}), call(&liftv1.Call{Id: 11, Service: "waits", End: true}))
	w.none(t)
	s.send(call(&liftv1.Call{Id: 12, Service: "echo", End: true}))
	if e := w.next(t); lift.CodeOf(e.Err) != lift.Busy || e.service != "echo" {
		t.Errorf("a call over the limit: %+v", e)
	}
	_, _ = pipe.Write([]byte("half"))
	w.none(t)
	_ = pipe.Close()
	if e := w.next(t); e.Err != nil || e.service != "streams" || e.Status != 200 {
		t.Errorf("a stream: %+v", e)
	}
	s.send(data(11, 1, false)) // though the call's body has ended
	if e := w.next(t); lift.CodeOf(e.Err) != lift.InvalidCall || e.service != "waits" {
		t.Errorf("a call whose caller breaks the rules: %+v", e)
	}
	<-waiting // the one that has just ended
	for id := uint64(13); ; id++ {
		s.send(call(&liftv1.Call{Id: id, Service: "waits", End: true}))
		select {
		case <-waiting:
		case e := <-w.ends: // a call holds its place until its last frame has gone, which is after its end
			if lift.CodeOf(e.Err) != lift.Busy {
				t.Fatalf("a call that waits: %+v", e)
			}
			time.Sleep(time.Millisecond)
			continue
		}
		break
	}
	drained := make(chan error, 1)
	go func() { drained <- srv.Drain(context.Background()) }()
	for id := uint64(100_000); ; id++ {
		s.send(call(&liftv1.Call{Id: id, Service: "echo", End: true}))
		e := w.next(t)
		if lift.CodeOf(e.Err) == lift.Draining {
			break
		}
		time.Sleep(time.Millisecond) // the drain has not begun yet
	}
	_ = s.CloseSend() // its session ends, and with it the call that waits
	if e := w.next(t); lift.CodeOf(e.Err) != lift.CallCanceled || e.service != "waits" {
		t.Errorf("a call whose session ends: %+v", e)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	w.none(t)
}

func TestEndsOfUnaryCalls(t *testing.T) {
	w := watch(lift.CallerFunc(echo))
	_, socket := start(t, w, sidecar.Config{Limits: sidecar.Limits{MaxBody: 1000, MaxPeers: 1}})
	api := liftv1.NewLiftClient(connect(t, socket))
	_, _ = api.Call(t.Context(), &liftv1.CallRequest{Service: "echo", Body: []byte("hi")})
	if e := w.next(t); e.Err != nil || e.Status != 200 || e.service != "echo" {
		t.Errorf("%+v", e)
	}
	_, _ = api.Call(t.Context(), &liftv1.CallRequest{Service: "large", Body: make([]byte, 1001)})
	if e := w.next(t); lift.CodeOf(e.Err) != lift.TooLarge || e.service != "large" {
		t.Errorf("over the limit: %+v", e)
	}
	_, _ = liftv1.NewLiftClient(connect(t, socket)).Call(t.Context(), &liftv1.CallRequest{Service: "second"})
	if e := w.next(t); lift.CodeOf(e.Err) != lift.Busy || e.service != "second" {
		t.Errorf("on a connection over the limit: %+v", e)
	}
	w.none(t)
}

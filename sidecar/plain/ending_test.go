package plain_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sidecar/plain"
)

// end is what is told of one call.
type end struct {
	lift.Ending
	service, method, path string
	tries                 int
}

// ends are told of calls, in order.
type ends chan end

func (o ends) see(c *lift.Call, e lift.Ending) {
	o <- end{e, c.Service, c.Method, c.Path, c.Tries()}
}

// next is the end that is told next.
func (o ends) next(t *testing.T) end {
	t.Helper()
	select {
	case e := <-o:
		return e
	case <-time.After(patience):
		t.Fatal("no end is told")
		return end{}
	}
}

// none fails if one more end is told.
func (o ends) none(t *testing.T) {
	t.Helper()
	select {
	case e := <-o:
		t.Errorf("one more end is told: %+v", e)
	case <-time.After(20 * time.Millisecond):
	}
}

// observed is a door before the real data plane, whose observer it returns, before
// an instance of orders.
func observed(t *testing.T, cfg plain.Config, instance http.HandlerFunc) (addr string, s *plain.Server, o ends) {
	t.Helper()
	upstream := httptest.NewServer(instance)
	t.Cleanup(upstream.Close)
	o = make(ends, 100)
	m := mesh.New(mesh.Options{OnEnd: o.see, Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: upstream.Listener.Addr().String()}}), Timeout: patience,
	}}})
	t.Cleanup(m.Close)
	cfg.Caller = m
	addr, s = serve(t, cfg)
	return addr, s, o
}

// What the door refuses by itself is told as what the mesh refuses is, once each.
func TestRefusedCallsAreTold(t *testing.T) {
	addr, _, o := observed(t, plain.Config{Limits: plain.Limits{MaxHeader: 4096}}, func(http.ResponseWriter, *http.Request) {})
	for _, tt := range []struct {
		name, request string
		code          lift.Code
		service       string
	}{
		{"unknown", "GET /a HTTP/1.1\r\nHost: nobody\r\n\r\n", lift.UnknownService, "nobody"},
		{"no service", "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", lift.UnknownService, ""},
		{"two services", "GET /a HTTP/1.1\r\nHost: orders\r\nLift-Service: a\r\nLift-Service: b\r\n\r\n", lift.InvalidCall, ""},
		{"a field that is none", "GET /a HTTP/1.1\r\nHost: orders\r\nLift-Timout: 1s\r\n\r\n", lift.InvalidCall, "orders"},
		{"a time that is none", "GET /a HTTP/1.1\r\nHost: orders\r\nLift-Timeout: soon\r\n\r\n", lift.InvalidCall, "orders"},
		{"too much", "GET /a HTTP/1.1\r\nHost: orders\r\nX: " + strings.Repeat("x", 4096) + "\r\n\r\n", lift.TooLarge, "orders"},
		{"a path that is none", "GET a HTTP/1.1\r\nHost: orders\r\n\r\n", "", ""}, // net/http's own 400: no call has been read
		{"a tunnel", "CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\n", lift.InvalidCall, ""},
		{"a body that breaks off", "POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhe", lift.InvalidCall, "orders"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr)
			c.say(tt.request)
			if strings.HasSuffix(tt.request, "he") {
				_ = c.Close()
			} else {
				c.answer("GET")
			}
			if tt.code != "" {
				e := o.next(t)
				if lift.CodeOf(e.Err) != tt.code || e.service != tt.service || e.method == "" || e.path == "" || e.Status != 0 || !e.Head.IsZero() || e.Ended.IsZero() || e.tries != 0 {
					t.Errorf("%+v", e)
				}
			}
			o.none(t)
		})
	}
	c := dial(t, addr)
	c.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.answer("GET")
	o.none(t) // Lift's own page is no call
}

func TestCallsOverALimitAreTold(t *testing.T) {
	release, held := make(chan struct{}), make(chan struct{}, 1)
	addr, s, o := observed(t, plain.Config{Limits: plain.Limits{MaxPeers: 3, MaxCalls: 1}}, func(http.ResponseWriter, *http.Request) {
		held <- struct{}{}
		<-release
	})
	const request = "GET / HTTP/1.1\r\nHost: orders\r\n\r\n"
	first := dial(t, addr)
	first.say(request)
	<-held
	second, third, fourth := dial(t, addr), dial(t, addr), dial(t, addr)
	second.say(request)
	second.answer("GET")
	if e := o.next(t); lift.CodeOf(e.Err) != lift.Busy || e.service != "orders" {
		t.Errorf("a call over the limit: %+v", e)
	}
	fourth.say(request)
	fourth.answer("GET")
	if e := o.next(t); lift.CodeOf(e.Err) != lift.Busy {
		t.Errorf("a connection over the limit: %+v", e)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	for lift.CodeOf(func() error { third.say(request); third.answer("GET"); return o.next(t).Err }()) != lift.Draining {
		time.Sleep(time.Millisecond) // the drain has not begun yet
	}
	close(release)
	first.answer("GET")
	if e := o.next(t); e.Err != nil || e.Status != 200 || e.tries != 1 {
		t.Errorf("the call that ran: %+v", e)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	o.none(t)
}

// The end of an answer is told, and not its head.
func TestTheTrueEndIsTold(t *testing.T) {
	more := make(chan bool)
	addr, _, o := observed(t, plain.Config{}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			for range 3 {
				_, _ = io.WriteString(w, "line\n")
				_ = http.NewResponseController(w).Flush()
				select {
				case on := <-more:
					if !on {
						panic(http.ErrAbortHandler)
					}
				case <-r.Context().Done():
					return
				}
			}
		case "/socket":
			c, err := websocket.Accept(w, r, nil)
			if err == nil {
				echo(r.Context(), c)
			}
		}
	})
	for _, tt := range []struct {
		name string
		run  func(c *raw)
		code lift.Code
	}{
		{"read to its end", func(*raw) { more <- true; more <- true; more <- true }, ""},
		{"broken by the instance", func(*raw) { more <- true; more <- false }, lift.Unavailable},
		{"left by its caller", func(c *raw) { _ = c.Close() }, lift.CallCanceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr)
			c.say("GET /stream HTTP/1.1\r\nHost: orders\r\n\r\n")
			if line, err := c.r.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
				t.Fatal(line, err)
			}
			o.none(t)
			tt.run(c)
			if e := o.next(t); lift.CodeOf(e.Err) != tt.code && (tt.code != lift.Unavailable || lift.CodeOf(e.Err) != lift.BadResponse) || e.Status != 200 || e.Ended.Since(e.Head) < 10*time.Millisecond || e.tries != 1 {
				t.Errorf("%+v, %s after its head", e, e.Ended.Since(e.Head))
			}
			o.none(t)
		})
	}

	ws, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/socket", &websocket.DialOptions{Host: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	o.none(t)
	_ = ws.CloseNow()
	if e := o.next(t); e.Status != http.StatusSwitchingProtocols || errors.Is(e.Err, lift.Internal) {
		t.Errorf("%+v", e)
	}
	o.none(t)
}

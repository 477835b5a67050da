package plain_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

// tell answers with what a call came as.
func tell(c *lift.Call) (*lift.Response, error) {
	text := fmt.Sprintf("%s %s %s timeout=%v idempotent=%d tenant=%q", c.Service, c.Method, c.Path, c.Timeout, c.Idempotent, c.Tenant)
	for _, f := range c.Header {
		if strings.HasPrefix(f.Name, "Lift-") {
			text += " leaked " + f.Name
		}
	}
	return &lift.Response{Status: 200, Body: lift.BytesBody([]byte(text))}, nil
}

func TestWhoIsCalled(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell)})
	own, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0", Service: "orders"}}})
	const plainCall = " GET /a?b=%2F timeout=0s idempotent=0 tenant=\"\""
	for _, tt := range []struct {
		name, addr string
		fields     []string
		status     int
		says       string
	}{
		{"host", addr, []string{"Host: orders"}, 200, "orders" + plainCall},
		{"field in another case", addr, []string{"Host: x", "Lift-Service: ORDERS"}, 200, "orders" + plainCall},
		{"own address, the same by field in another case", own, []string{"Host: x", "Lift-Service: Orders"}, 200, "orders" + plainCall},
		{"host and port", addr, []string{"Host: Orders:4140"}, 200, "orders" + plainCall},
		{"host of several words", addr, []string{"Host: a.b-c_d"}, 200, "a.b-c_d" + plainCall},
		{"field before host", addr, []string{"Host: payments", "Lift-Service: orders"}, 200, "orders" + plainCall},
		{"field and the address", addr, []string{"Host: 127.0.0.1", "Lift-Service: orders"}, 200, "orders" + plainCall},
		{"own address", own, []string{"Host: localhost:4201"}, 200, "orders" + plainCall},
		{"own address, any host", own, []string{"Host: example.com"}, 200, "orders" + plainCall},
		{"own address, the same by field", own, []string{"Host: x", "Lift-Service: orders"}, 200, "orders" + plainCall},
		{"own address, another by field", own, []string{"Host: x", "Lift-Service: payments"}, 400, "that of \\\"orders\\\" alone"},
		{"field twice", addr, []string{"Host: x", "Lift-Service: a", "Lift-Service: b"}, 400, "Lift-Service is there 2 times"},
		{"field empty", addr, []string{"Host: x", "Lift-Service:"}, 400, "Lift-Service is empty"},
		{"Lift itself, by address", addr, []string{"Host: 127.0.0.1:4140"}, 404, "names no service"},
		{"Lift itself, by IPv6", addr, []string{"Host: [::1]:4140"}, 404, "names no service"},
		{"Lift itself, by bare IPv6", addr, []string{"Host: [::1]"}, 404, "names no service"},
		{"Lift itself, by name", addr, []string{"Host: lift"}, 404, "names no service"},
		{"Lift itself, by no name", addr, []string{"Host:"}, 404, "names no service"},
		{"all wishes", addr, []string{"Host: orders", "Lift-Timeout: 250ms", "Lift-Idempotent: true", "Lift-Tenant: acme"}, 200,
			"orders GET /a?b=%2F timeout=250ms idempotent=1 tenant=\"acme\""},
		{"not idempotent", addr, []string{"Host: orders", "lift-idempotent: false"}, 200, "orders GET /a?b=%2F timeout=0s idempotent=2 tenant=\"\""},
		{"no duration", addr, []string{"Host: orders", "Lift-Timeout: 250"}, 400, "no duration with a unit"},
		{"too short", addr, []string{"Host: orders", "Lift-Timeout: -1s"}, 400, "want 1ms to 24h"},
		{"no boolean", addr, []string{"Host: orders", "Lift-Idempotent: yes"}, 400, "want true or false"},
		{"unknown wish", addr, []string{"Host: orders", "Lift-Timout: 1s"}, 400, "Lift-Timout: it is none that Lift knows"},
		{"WebSocket, answered otherwise", addr, []string{"Host: orders", "Connection: Upgrade", "Upgrade: websocket"}, 200, "orders" + plainCall},
		{"an upgrade with a body", addr, []string{"Host: orders", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 1"}, 501, "with a body is not carried"},
		{"HTTP/2 on offer", addr, []string{"Host: orders", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}, 200, "orders" + plainCall},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := get(t, tt.addr, "/a?b=%2F", tt.fields...)
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("got %d %s; want %d %s", resp.StatusCode, body, tt.status, tt.says)
			}
			if tt.status != 200 {
				errorOf(t, resp, body)
			}
		})
	}
}

func TestLiftItself(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Services: []string{"orders", "payments"}, Version: "1.2.3"})
	resp, body := get(t, addr, "/", "Host: localhost")
	if resp.StatusCode != 200 || body != `{"software":"lift","version":"1.2.3","services":["orders","payments"]}`+"\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body = get(t, addr, "/healthz?x", "Host: lift"); resp.StatusCode != 200 || body != `{"status":"ok"}`+"\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	c := dial(t, addr)
	c.say("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	if resp, body := c.answer(http.MethodPost); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" || errorOf(t, resp, body).Error.Code != "invalid_call" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestStatusOfEachCode(t *testing.T) {
	for _, tt := range []struct {
		code    lift.Code
		reached lift.Reached
		status  int
	}{
		{lift.UnknownService, lift.NotReached, 404},
		{lift.Misconfigured, lift.NotReached, 500},
		{lift.InvalidCall, lift.NotReached, 400},
		{lift.TooLarge, lift.NotReached, 413},
		{lift.NoSet, lift.NotReached, 503},
		{lift.NoEndpoints, lift.NotReached, 503},
		{lift.AllOpen, lift.NotReached, 503},
		{lift.AllOpen, lift.MayHaveActed, 502},
		{lift.Unavailable, lift.NotReached, 503},
		{lift.Unavailable, lift.MayHaveActed, 502},
		{lift.BadResponse, lift.Answered, 502},
		{lift.AttemptTimeout, lift.MayHaveActed, 504},
		{lift.DeadlineExceeded, lift.NotReached, 504},
		{lift.CallCanceled, lift.NotReached, 499},
		{lift.Busy, lift.NotReached, 503},
		{lift.Draining, lift.NotReached, 503},
		{lift.Incompatible, lift.NotReached, 500},
		{lift.Internal, lift.NotReached, 500},
	} {
		t.Run(string(tt.code), func(t *testing.T) {
			addr, _ := serve(t, plain.Config{Caller: fail(tt.code, tt.reached)})
			resp, body := get(t, addr, "/", "Host: orders")
			e := errorOf(t, resp, body).Error
			if resp.StatusCode != tt.status || e.Code != string(tt.code) || e.Service != "orders" || e.Endpoint != "10.0.0.1:80" || e.Message != "because" ||
				e.MayHaveActed != (tt.reached == lift.MayHaveActed) {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
		})
	}
}

// An error through the real data plane names what was tried.
func TestErrorTellsTheAttempts(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: meshTo(t, "127.0.0.1:1")})
	resp, body := get(t, addr, "/", "Host: orders")
	e := errorOf(t, resp, body).Error
	if resp.StatusCode != 503 || e.Code != "unavailable" && e.Code != "all_open" || len(e.Attempts) == 0 || e.Attempts[0].Outcome != "failed" ||
		!strings.Contains(e.Attempts[0].Error, "refused") || e.MayHaveActed {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body = get(t, addr, "/", "Host: example.com"); resp.StatusCode != 404 || !strings.Contains(body, "the configured ones are orders") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestTimeoutFieldHolds(t *testing.T) {
	release := make(chan struct{})
	addr := through(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	began := time.Now()
	resp, body := get(t, addr, "/", "Host: orders", "Lift-Timeout: 60ms")
	if e := errorOf(t, resp, body).Error; resp.StatusCode != 504 || e.Code != "deadline_exceeded" && e.Code != "attempt_timeout" || !e.MayHaveActed {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}

package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// TestRequestOnTheWire compares what is sent, byte for byte.
func TestRequestOnTheWire(t *testing.T) {
	fields := func(kv ...string) (f []lift.Field) {
		for i := 0; i < len(kv); i += 2 {
			f = append(f, lift.Field{Name: kv[i], Value: kv[i+1]})
		}
		return f
	}
	tests := []struct {
		name string
		call *lift.Call
		host string
		want string
	}{
		{"bare", &lift.Call{}, "", "GET / HTTP/1.1\r\nHost: orders.test:80\r\n\r\n"},
		{"host", &lift.Call{Header: fields("Host", "evil", "host", "evil")}, "orders.internal", "GET / HTTP/1.1\r\nHost: orders.internal\r\n\r\n"},
		{"path as it is", &lift.Call{Path: "/a%2Fb/../%7e;x=1?q=a+b&&c=%20?"}, "h", "GET /a%2Fb/../%7e;x=1?q=a+b&&c=%20? HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"two slashes", &lift.Call{Path: "//a%2Fb//c?x"}, "h", "GET //a%2Fb//c?x HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"asterisk", &lift.Call{Method: "OPTIONS", Path: "*"}, "h", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"own method", &lift.Call{Method: "PURGE"}, "h", "PURGE / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"fields", &lift.Call{Header: fields("accept", "a", "Accept", "b", "User-Agent", "me", "X-Empty", "", "accept-encoding", "br")}, "h",
			"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\nAccept: a\r\nAccept: b\r\nAccept-Encoding: br\r\nX-Empty: \r\n\r\n"},
		{"hop by hop", &lift.Call{Header: fields("connection", "close, x-hop", "X-Hop", "1", "Keep-Alive", "5", "te", "trailers", "TRANSFER-ENCODING", "chunked",
			"content-length", "70", "Upgrade", "h2c", "Proxy-Connection", "close", "proxy-authorization", "x", "Trailer", "X", "X-End", "2")}, "h",
			"GET / HTTP/1.1\r\nHost: h\r\nX-End: 2\r\n\r\n"},
		{"body", &lift.Call{Method: "POST", Body: lift.BytesBody([]byte("hello"))}, "h", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"},
		{"empty body", &lift.Call{Method: "POST", Body: lift.BytesBody(nil)}, "h", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
		{"live body", &lift.Call{Method: "GET", Body: live(strings.NewReader("hello"), -1)}, "h", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"live declared body", &lift.Call{Method: "PUT", Body: live(strings.NewReader("hello"), 5)}, "h", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got strings.Builder
				up := &upstream{next: func(_ *upstream, c conn, r reader) {
					req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(r, &got)))
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(c, okAnswer)
				}}
				p := transport.NewPool("orders.test:80", transport.Options{Config: transport.Config{Host: test.host}, Dial: up.dial})
				resp, err := p.RoundTrip(tryOf(test.call))
				if err != nil {
					t.Fatal(err)
				}
				wantHello(t, resp)
				p.Close()
				up.close()
				if got.String() != test.want {
					t.Errorf("sent %q\nwant %q", got.String(), test.want)
				}
			})
		})
	}
}

func TestInvalidCalls(t *testing.T) {
	tests := []struct {
		name string
		call lift.Call
		says string
	}{
		{"method", lift.Call{Method: "GET /evil HTTP/1.1\r\nX:"}, "method"},
		{"empty token", lift.Call{Method: " "}, "method"},
		{"tunnel", lift.Call{Method: "CONNECT", Path: "/"}, "CONNECT"},
		{"absolute form", lift.Call{Path: "http://evil/"}, "has to start with a slash"},
		{"asterisk", lift.Call{Path: "*"}, "has to start with a slash"},
		{"space", lift.Call{Path: "/a b"}, "percent-encode"},
		{"line end", lift.Call{Path: "/a\r\nX: 1"}, "percent-encode"},
		{"fragment", lift.Call{Path: "/a#b"}, "percent-encode"},
		{"two slashes, badly encoded", lift.Call{Path: "//a%zz"}, "percent-encoded"},
		{"name", lift.Call{Header: []lift.Field{{Name: "X Y", Value: "1"}}}, `header name "X Y"`},
		{"name with a line end", lift.Call{Header: []lift.Field{{Name: "X\r\nY", Value: "1"}}}, "header name"},
		{"no name", lift.Call{Header: []lift.Field{{Name: "", Value: "1"}}}, "header name"},
		{"value", lift.Call{Header: []lift.Field{{Name: "X-Y", Value: "1\r\nEvil: 1"}}}, "header X-Y"},
		{"value with NUL", lift.Call{Header: []lift.Field{{Name: "X-Y", Value: "1\x00"}}}, "header X-Y"},
		{"dropped value", lift.Call{Header: []lift.Field{{Name: "Content-Length", Value: "1\r\nEvil: 1"}}}, "header Content-Length"},
	}
	for i := range tests {
		test := &tests[i]
		t.Run(test.name, func(t *testing.T) {
			p := transport.NewPool("orders.test:80", transport.Options{})
			defer p.Close()
			a := tryOf(&test.call)
			_, err := p.RoundTrip(a)
			wantError(t, err, lift.InvalidCall)
			if !strings.Contains(err.Error(), test.says) || a.Reached != lift.NotReached {
				t.Errorf("got %q, reached %s", err, a.Reached)
			}
		})
	}
}

// A request is answered though it asks before it sends.
func TestExpectContinue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(u *upstream, c net.Conn, r *bufio.Reader) {
			req, err := http.ReadRequest(r)
			if err != nil || req.Header.Get("Expect") != "100-continue" {
				t.Errorf("got %v, %v", req, err)
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			if body, _ := io.ReadAll(req.Body); string(body) == "body" {
				_, _ = io.WriteString(c, okAnswer)
			}
		}, transport.Config{})
		c := b.call("POST", lift.BytesBody([]byte("body")))
		c.Header = []lift.Field{{Name: "Expect", Value: "100-continue"}}
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		wantHello(t, resp)
	})
}

// What was announced follows a live body in chunks; what was not, and what says
// how the request is framed, does not.
func TestRequestTrailers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(u *upstream, c net.Conn, r *bufio.Reader) {
			req, err := http.ReadRequest(r)
			if err != nil {
				t.Error(err)
				return
			}
			if body, err := io.ReadAll(req.Body); string(body) != "body" || err != nil {
				t.Errorf("body %q, %v", body, err)
			}
			if got := fmt.Sprint(req.Trailer); got != "map[X-Missing:[] X-Sum:[1 2]]" {
				t.Error("trailer", got)
			}
			_, _ = io.WriteString(c, okAnswer)
		}, transport.Config{})
		body := lift.StreamBody(io.NopCloser(strings.NewReader("body")), -1, lift.ReplayLimit)
		body.SetTrailer([]lift.Field{
			{Name: "x-sum", Value: "1"}, {Name: "X-Sum", Value: "2"}, {Name: "X-Sum", Value: "3\r\nX-Evil: 1"},
			{Name: "X-Unannounced", Value: "1"}, {Name: "Content-Length", Value: "7"},
		})
		c := b.call("POST", body)
		c.Header = []lift.Field{{Name: "Trailer", Value: "X-Sum, Content-Length, transfer-encoding"}, {Name: "trailer", Value: "X-Missing, , a b"}}
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		wantHello(t, resp)
	})
}

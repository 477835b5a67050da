package plain_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift/sidecar/plain"
)

// What HTTP/2 lets be said and HTTP/1.1 does not, or the other way round: the door
// breaks the stream, refuses it, or what the instance gets is one request that can
// be read in one way only. The connection goes on wherever its frames were sound.
func TestSmugglingByHTTP2(t *testing.T) {
	const seen = "GET /a HTTP/1.1||"
	get := func(more ...string) []string { return asks("GET", "/a", more...) }
	pseudo := func(pairs ...string) []string { return pairs }
	for _, tt := range []struct {
		name   string
		fields []string
		data   []string // with no END_STREAM before the last
		want   string   // a status, "reset" or "goaway"
		seen   []string // by the instance
	}{
		{name: "sound", fields: get(), want: "200", seen: []string{seen}},
		{name: "sound, with a length", fields: asks("POST", "/a", "content-length", "3"), data: []string{"a", "bc"}, want: "200",
			seen: []string{"POST /a HTTP/1.1|Content-Length: 3||abc"}},
		{name: "sound, without one", fields: asks("POST", "/a"), data: []string{"a", "bc"}, want: "200",
			seen: []string{"POST /a HTTP/1.1|Transfer-Encoding: chunked||"}},
		{name: "sound, with trailers on offer", fields: get("te", "trailers"), want: "200", seen: []string{seen}},
		{name: "the scheme of TLS", fields: pseudo(":method", "GET", ":scheme", "https", ":authority", "orders", ":path", "/a"), want: "200", seen: []string{seen}},

		{name: "method twice", fields: append(pseudo(":method", "POST"), get()...), want: "reset"},
		{name: "path twice", fields: append(pseudo(":path", "/b"), get()...), want: "reset"},
		{name: "authority twice", fields: append(pseudo(":authority", "payments"), get()...), want: "reset"},
		{name: "pseudo-header behind a field", fields: pseudo(":method", "GET", ":scheme", "http", ":authority", "orders", "x-a", "b", ":path", "/a"), want: "reset"},
		{name: "unknown pseudo-header", fields: append(pseudo(":lift", "x"), get()...), want: "reset"},
		{name: "pseudo-header of an answer", fields: append(pseudo(":status", "200"), get()...), want: "reset"},
		{name: "no method", fields: pseudo(":scheme", "http", ":authority", "orders", ":path", "/a"), want: "reset"},
		{name: "no path", fields: pseudo(":method", "GET", ":scheme", "http", ":authority", "orders"), want: "reset"},
		{name: "no scheme", fields: pseudo(":method", "GET", ":authority", "orders", ":path", "/a"), want: "reset"},
		{name: "an empty path", fields: asks("GET", ""), want: "reset"},
		{name: "a path without a slash", fields: asks("GET", "a"), want: "reset"},
		{name: "a path with a host in front", fields: asks("GET", "payments/a"), want: "reset"},
		{name: "a path that is a whole URL", fields: asks("GET", "http://payments/a"), want: "400"},
		{name: "two slashes are a path", fields: asks("GET", "//payments/a"), want: "200", seen: []string{"GET //payments/a HTTP/1.1||"}},
		{name: "a path with a space", fields: asks("GET", "/a HTTP/1.1"), want: "400"},
		{name: "a path with a line's end", fields: asks("GET", "/a\r\nX-B: c"), want: "reset"},
		{name: "a path with a zero byte", fields: asks("GET", "/a\x00"), want: "reset"},
		{name: "a path that is badly encoded", fields: asks("GET", "/%zz"), want: "reset"},
		{name: "a fragment", fields: asks("GET", "/a#b"), want: "400"},
		{name: "a star with GET", fields: asks("GET", "*"), want: "400"},
		{name: "a star with OPTIONS", fields: asks("OPTIONS", "*"), want: "200", seen: []string{"OPTIONS * HTTP/1.1||"}},
		{name: "another scheme", fields: pseudo(":method", "GET", ":scheme", "file", ":authority", "orders", ":path", "/a"), want: "reset"},
		{name: "a scheme with a host", fields: pseudo(":method", "GET", ":scheme", "http://payments/?", ":authority", "orders", ":path", "/a"), want: "reset"},

		{name: "a method that is a line", fields: asks("GET /b HTTP/1.1", "/a"), want: "400"},
		{name: "a method with a line's end", fields: asks("GET\r\nX: ", "/a"), want: "reset"},
		{name: "an empty method", fields: asks("", "/a"), want: "reset"},
		{name: "an unknown method", fields: asks("PURGE", "/a"), want: "200", seen: []string{"PURGE /a HTTP/1.1||"}},
		{name: "the preface as a method", fields: asks("PRI", "*"), want: "400"},

		{name: "an authority with a user", fields: pseudo(":method", "GET", ":scheme", "http", ":authority", "me@orders", ":path", "/a"), want: "reset"},
		{name: "an authority with a path", fields: pseudo(":method", "GET", ":scheme", "http", ":authority", "orders/b", ":path", "/a"), want: "400"},
		{name: "an authority with a space", fields: pseudo(":method", "GET", ":scheme", "http", ":authority", "orders payments", ":path", "/a"), want: "400"},
		{name: "two authorities in one", fields: pseudo(":method", "GET", ":scheme", "http", ":authority", "orders,payments", ":path", "/a"), want: "404"},
		{name: "host instead of an authority", fields: pseudo(":method", "GET", ":scheme", "http", ":path", "/a", "host", "orders"), want: "200", seen: []string{seen}},
		{name: "host as the authority", fields: get("host", "orders"), want: "200", seen: []string{seen}},
		{name: "host beside another authority", fields: get("host", "payments"), want: "400"},
		{name: "two hosts", fields: pseudo(":method", "GET", ":scheme", "http", ":path", "/a", "host", "orders", "host", "payments"), want: "400"},

		{name: "a name in upper case", fields: get("X-A", "b"), want: "reset"},
		{name: "a name with a space", fields: get("x a", "b"), want: "reset"},
		{name: "a name with a colon", fields: get("x:a", "b"), want: "reset"},
		{name: "a name with a line's end", fields: get("x-a\r\nx-b", "c"), want: "reset"},
		{name: "no name", fields: get("", "b"), want: "reset"},
		{name: "a value with a line's end", fields: get("x-a", "b\r\nx-c: d"), want: "reset"},
		{name: "a value with a line feed", fields: get("x-a", "b\nx-c: d"), want: "reset"},
		{name: "a value with a carriage return", fields: get("x-a", "b\rx-c: d"), want: "reset"},
		{name: "a value with a zero byte", fields: get("x-a", "b\x00"), want: "reset"},
		{name: "a value with whole request in it", fields: get("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n"), want: "reset"},

		{name: "connection", fields: get("connection", "close"), want: "400"},
		{name: "connection that names a field", fields: get("connection", "x-a", "x-a", "b"), want: "400"},
		{name: "keep-alive", fields: get("keep-alive", "5"), want: "400"},
		{name: "proxy-connection", fields: get("proxy-connection", "close"), want: "400"},
		{name: "upgrade", fields: get("upgrade", "websocket"), want: "400"},
		{name: "transfer-encoding", fields: asks("POST", "/a", "transfer-encoding", "chunked"), data: []string{"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"}, want: "400"},
		{name: "te of more than trailers", fields: get("te", "trailers, gzip"), want: "400"},
		{name: "te twice", fields: get("te", "trailers", "te", "gzip"), want: "400"},

		{name: "a length and no body", fields: get("content-length", "5"), want: "400"},
		{name: "a length of nothing", fields: get("content-length", "0"), want: "200", seen: []string{seen}},
		{name: "less than the length", fields: asks("POST", "/a", "content-length", "5"), data: []string{"abc"}, want: "400"},
		{name: "more than the length", fields: asks("POST", "/a", "content-length", "2"), data: []string{"abc"}, want: "reset"},
		{name: "more than a length of nothing", fields: asks("POST", "/a", "content-length", "0"), data: []string{"GET /smuggled HTTP/1.1\r\n\r\n"}, want: "200 or reset",
			seen: []string{"POST /a HTTP/1.1|Content-Length: 0||"}},
		{name: "two lengths", fields: asks("POST", "/a", "content-length", "3", "content-length", "4"), data: []string{"abc"}, want: "400"},
		{name: "the same length twice", fields: asks("POST", "/a", "content-length", "3", "content-length", "3"), data: []string{"abc"}, want: "400"},
		{name: "a length with a sign", fields: asks("POST", "/a", "content-length", "+3"), data: []string{"abc"}, want: "400 or reset"},
		{name: "a length that is none", fields: asks("POST", "/a", "content-length", "x"), data: []string{"abc"}, want: "400 or reset"},
		{name: "a length beyond counting", fields: asks("POST", "/a", "content-length", "92233720368547758079"), data: []string{"abc"}, want: "400 or reset"},

		{name: "CONNECT", fields: pseudo(":method", "CONNECT", ":authority", "orders:80"), want: "405"},
		{name: "CONNECT with a path", fields: asks("CONNECT", "/a"), want: "reset"},
		{name: "CONNECT without an authority", fields: pseudo(":method", "CONNECT"), want: "reset"},
		{name: "CONNECT to another protocol", fields: append(pseudo(":protocol", "websocket"), asks("CONNECT", "/a")...), want: "reset"},
		{name: "a protocol without CONNECT", fields: append(pseudo(":protocol", "websocket"), get()...), want: "reset"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t)
			addr, _ := serve(t, plain.Config{Caller: meshTo(t, w.addr)})
			f := frames(t, addr)
			f.ask(1, tt.data == nil, tt.fields...)
			for i, d := range tt.data {
				f.must(f.WriteData(1, i == len(tt.data)-1, []byte(d)))
			}
			r := f.replyTo(1)
			got := r.status
			if r.reset != nil && got == "" {
				got = "reset"
			}
			if r.gone != nil {
				got = "goaway"
			}
			if !slices.Contains(strings.Split(tt.want, " or "), got) {
				t.Errorf("got %v, want %s", r, tt.want)
			}
			f.works(3)
			requests := slices.DeleteFunc(w.requests(), func(s string) bool { return strings.HasPrefix(s, "GET /works ") })
			for i, s := range requests { // chunks may be cut in any way
				if head, _, ok := strings.Cut(s, "|Transfer-Encoding: chunked||"); ok {
					requests[i] = head + "|Transfer-Encoding: chunked||"
				}
			}
			if tt.want != "200" && len(tt.seen) > 0 && len(requests) == 0 {
				return
			}
			if !slices.Equal(requests, tt.seen) {
				t.Errorf("the instance got\n%q, want\n%q", requests, tt.seen)
			}
		})
	}
}

// Trailers of a request are held to the same.
func TestSmugglingByTrailers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"sound", []string{"x-end", "1"}, "200"},
		{"not announced", []string{"x-other", "1"}, "200"},
		{"pseudo-header", []string{":path", "/b"}, "reset"},
		{"a name in upper case", []string{"X-End", "1"}, "reset"},
		{"a value with a line's end", []string{"x-end", "1\r\nx-b: c"}, "reset"},
		{"a length", []string{"content-length", "1"}, "reset"},
		{"a coding", []string{"transfer-encoding", "chunked"}, "reset"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t)
			addr, _ := serve(t, plain.Config{Caller: meshTo(t, w.addr)})
			f := frames(t, addr)
			f.ask(1, false, asks("POST", "/a", "trailer", "x-end")...)
			f.must(f.WriteData(1, false, []byte("abc")))
			f.must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: f.fields(tt.fields...)}))
			r := f.replyTo(1)
			if r.reset != nil && tt.want == "reset" || r.status == tt.want {
				f.works(3)
				return
			}
			t.Errorf("%v, want %s", r, tt.want)
		})
	}
}

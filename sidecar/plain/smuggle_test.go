package plain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/liftmesh/lift/sidecar/plain"
)

// Each of these would be read differently by two servers in a row if one of them
// were careless. The door refuses it and hangs up, or what the instance gets is
// one request that can be read in one way only. Whatever follows on the
// connection is a request of its own or nothing at all.
func TestSmuggling(t *testing.T) {
	const next = "GET /next HTTP/1.1\r\nHost: orders\r\n\r\n"
	const seenNext = "GET /next HTTP/1.1||"
	post := func(fields, body string) string {
		return "POST /a HTTP/1.1\r\nHost: orders\r\n" + fields + "\r\n" + body
	}
	for _, tt := range []struct {
		name, sent string
		status     string   // of each answer, in order
		seen       []string // by the instance
		open       bool     // the connection stays
	}{
		{name: "sound, with a length", sent: post("Content-Length: 3\r\n", "abc") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Content-Length: 3||abc", seenNext}},
		{name: "sound, in chunks", sent: post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Transfer-Encoding: chunked||3\r\nabc\r\n0\r\n\r\n", seenNext}},
		{name: "the same length twice", sent: post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Content-Length: 3||abc", seenNext}},
		{name: "two lengths", sent: post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd") + next, status: "400"},
		{name: "two lengths in one field", sent: post("Content-Length: 3, 4\r\n", "abcd") + next, status: "400"},
		{name: "the same length twice in one field", sent: post("Content-Length: 3, 3\r\n", "abc") + next, status: "400"},
		{name: "length with a sign", sent: post("Content-Length: +3\r\n", "abc") + next, status: "400"},
		{name: "negative length", sent: post("Content-Length: -3\r\n", "abc") + next, status: "400"},
		{name: "hexadecimal length", sent: post("Content-Length: 0x3\r\n", "abc") + next, status: "400"},
		{name: "length beyond counting", sent: post("Content-Length: 92233720368547758079\r\n", "abc") + next, status: "400"},
		{name: "empty length", sent: post("Content-Length:\r\n", "abc") + next, status: "400"},
		{name: "length and chunks: the chunks count, and it is the last request", status: "200",
			sent: post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n") + next,
			seen: []string{"POST /a HTTP/1.1|Transfer-Encoding: chunked||1\r\na\r\n0\r\n\r\n"}},
		{name: "chunks and length, in odd case", status: "200",
			sent: post("transfer-encoding: Chunked\r\ncONTENT-lENGTH: 30\r\n", "0\r\n\r\n") + next,
			seen: []string{"POST /a HTTP/1.1|Transfer-Encoding: chunked||0\r\n\r\n"}},
		{name: "chunks twice", sent: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + next, status: "501"},
		{name: "chunks and identity", sent: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n") + next, status: "501"},
		{name: "another coding", sent: post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n") + next, status: "501"},
		{name: "a coding that only looks like chunks", sent: post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n") + next, status: "501"},
		{name: "a coding with a vertical tab", sent: post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n") + next, status: "400"},
		{name: "space before the colon of the coding", sent: post("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n") + next, status: "400"},
		{name: "space before the colon", sent: post("X-A : b\r\nContent-Length: 0\r\n", "") + next, status: "400"},
		{name: "a name with a zero byte", sent: post("X-\x00A: b\r\n", "") + next, status: "400"},
		{name: "a name with a control byte", sent: post("Content-Length\x0b: 5\r\n", "") + next, status: "400"},
		{name: "no name", sent: post(": b\r\n", "") + next, status: "400"},
		{name: "no colon", sent: post("X-A\r\n", "") + next, status: "400"},
		{name: "a value with a carriage return", sent: post("X-A: b\rX-C: d\r\n", "") + next, status: "400"},
		{name: "a value with a zero byte", sent: post("X-A: b\x00c\r\n", "") + next, status: "400"},
		{name: "a first field that is folded", sent: "GET /a HTTP/1.1\r\n Host: orders\r\n\r\n" + next, status: "400"},
		{name: "a folded field is one line", sent: post("X-A: b\r\n Content-Length: 5\r\n", "") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Content-Length: 0|X-A: b Content-Length: 5||", seenNext}},
		{name: "a folded coding", sent: post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Transfer-Encoding: chunked||0\r\n\r\n", seenNext}},
		{name: "bare line feeds", sent: "POST /a HTTP/1.1\nHost: orders\nContent-Length: 3\n\nabc" + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Content-Length: 3||abc", seenNext}},
		{name: "a chunk size that is none", sent: post("Transfer-Encoding: chunked\r\n", "x\r\nabc\r\n0\r\n\r\n") + next, status: "400"},
		{name: "a negative chunk size", sent: post("Transfer-Encoding: chunked\r\n", "-3\r\nabc\r\n0\r\n\r\n") + next, status: "400"},
		{name: "a chunk size with a prefix", sent: post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n") + next, status: "400"},
		{name: "a chunk size beyond counting", sent: post("Transfer-Encoding: chunked\r\n", "10000000000000003\r\nabc\r\n0\r\n\r\n") + next, status: "400"},
		{name: "a chunk longer than its size", sent: post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n") + next, status: "400"},
		{name: "a chunk ended by a bare line feed", sent: post("Transfer-Encoding: chunked\r\n", "3\r\nabc\n0\r\n\r\n") + next, status: "400"},
		{name: "an endless chunk extension", sent: post("Transfer-Encoding: chunked\r\n", "3;"+strings.Repeat("a", 100_000)+"\r\nabc\r\n0\r\n\r\n") + next, status: "400"},
		{name: "a chunk extension does not travel", sent: post("Transfer-Encoding: chunked\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Transfer-Encoding: chunked||3\r\nabc\r\n0\r\n\r\n", seenNext}},
		{name: "chunks in HTTP/1.0 do not count", sent: "POST /a HTTP/1.0\r\nHost: orders\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, status: "200",
			seen: []string{"POST /a HTTP/1.1|Content-Length: 0||"}},
		{name: "a body with a GET", sent: "GET /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 41\r\n\r\n" + "GET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n\r\n"[:41] + next,
			status: "200 200", open: true,
			seen: []string{"GET /a HTTP/1.1|Content-Length: 41||" + "GET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n\r\n"[:41], seenNext}},
		{name: "Connection names the length", sent: post("Connection: Content-Length, X-A\r\nX-A: b\r\nContent-Length: 3\r\n", "abc") + next, status: "200 200", open: true,
			seen: []string{"POST /a HTTP/1.1|Content-Length: 3||abc", seenNext}},
		{name: "fields between two hops", status: "200 200", open: true,
			sent: "GET /a HTTP/1.1\r\nHost: orders\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: close\r\nProxy-Authorization: x\r\nTrailer: Content-Length\r\nX-End: 1\r\n\r\n" + next,
			seen: []string{"GET /a HTTP/1.1|X-End: 1||", seenNext}},
		{name: "two hosts", sent: "GET /a HTTP/1.1\r\nHost: orders\r\nHost: payments\r\n\r\n" + next, status: "400"},
		{name: "the same host twice", sent: "GET /a HTTP/1.1\r\nHost: orders\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "no host", sent: "GET /a HTTP/1.1\r\n\r\n" + next, status: "400"},
		{name: "a host with a space", sent: "GET /a HTTP/1.1\r\nHost: orders payments\r\n\r\n" + next, status: "400"},
		{name: "a host with a path", sent: "GET /a HTTP/1.1\r\nHost: orders/b\r\n\r\n" + next, status: "400"},
		{name: "a host with a user", sent: "GET /a HTTP/1.1\r\nHost: me@orders\r\n\r\n" + next, status: "400"},
		{name: "absolute form", sent: "GET http://orders/a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "absolute form to elsewhere", sent: "GET http://169.254.169.254/latest HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "absolute form of another kind", sent: "GET file:///etc/passwd HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "opaque form", sent: "GET orders:80 HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "two slashes are a path", sent: "GET //payments/a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "200 200", open: true,
			seen: []string{"GET //payments/a HTTP/1.1||", seenNext}},
		{name: "a path as it came", sent: "GET /a/../%2e%2E/b;c?d=%zz&e HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "200 200", open: true,
			seen: []string{"GET /a/../%2e%2E/b;c?d=%zz&e HTTP/1.1||", seenNext}},
		{name: "a path that is badly encoded", sent: "GET /%zz HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "a fragment", sent: "GET /a#b HTTP/1.1\r\nHost: orders\r\n\r\n", status: "400", open: true},
		{name: "no slash", sent: "GET a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "a star with GET", sent: "GET * HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "a star with OPTIONS", sent: "OPTIONS * HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "200 200", open: true,
			seen: []string{"OPTIONS * HTTP/1.1||", seenNext}},
		{name: "CONNECT", sent: "CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\n" + next, status: "405"},
		{name: "CONNECT with a path", sent: "CONNECT /a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "405"},
		{name: "a method that is none", sent: "G@T /a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "an unknown method", sent: "PURGE /a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "200 200", open: true,
			seen: []string{"PURGE /a HTTP/1.1||", seenNext}},
		{name: "space before the method", sent: " GET /a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "two spaces in the line", sent: "GET  /a HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "a path with a space", sent: "GET /a b HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "a tab in the line", sent: "GET\t/a\tHTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "400"},
		{name: "HTTP/0.9", sent: "GET /a\r\n\r\n", status: "400"},
		{name: "HTTP/1.2 is HTTP/1.1", sent: "GET /a HTTP/1.2\r\nHost: orders\r\n\r\n" + next, status: "200 200", open: true,
			seen: []string{"GET /a HTTP/1.1||", seenNext}},
		{name: "HTTP/2 with a field", sent: "PRI * HTTP/2.0\r\nHost: orders\r\n\r\nSM\r\n\r\n", status: "505"},
		{name: "HTTP/2 that does not go on as such", sent: "PRI * HTTP/2.0\r\n\r\n" + next, status: ""},
		{name: "HTTP/3", sent: "GET /a HTTP/3.0\r\nHost: orders\r\n\r\n", status: "505"},
		{name: "a huge field", sent: "GET /a HTTP/1.1\r\nHost: orders\r\nX-A: " + strings.Repeat("a", 80_000) + "\r\n\r\n" + next, status: "431"},
		{name: "very many fields", sent: "GET /a HTTP/1.1\r\nHost: orders\r\n" + strings.Repeat("X-A: a\r\n", 20_000) + "\r\n" + next, status: "431"},
		{name: "a huge path", sent: "GET /" + strings.Repeat("a", 80_000) + " HTTP/1.1\r\nHost: orders\r\n\r\n" + next, status: "431"},
		{name: "an expectation that is none", sent: post("Expect: tea\r\nContent-Length: 0\r\n", "") + next, status: "417"},
		{name: "TLS", sent: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", status: "400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t)
			addr, _ := serve(t, plain.Config{Caller: meshTo(t, w.addr)})
			c := dial(t, addr)
			go func() { _, _ = c.Write([]byte(tt.sent)) }() // the door may hang up meanwhile
			for i, want := range strings.Fields(tt.status) {
				resp, body := c.answer("POST")
				if got := resp.Status[:3]; got != want {
					t.Errorf("answer %d: %s %q, want %s", i+1, got, body, want)
				}
			}
			if tt.open {
				c.say(strings.Replace(next, "/next", "/last", 1))
				if resp, body := c.answer("GET"); resp.StatusCode != 200 {
					t.Errorf("the connection is no good any more: %d %s", resp.StatusCode, body)
				}
				tt.seen = append(tt.seen, "GET /last HTTP/1.1||")
			} else if rest, ok := c.ends(); !ok || rest != "" {
				t.Errorf("the connection goes on (%v): %q", !ok, rest)
			}
			got := w.requests()
			if tt.status == "400" {
				// What began to be sent before its fault showed broke off, whole for nobody.
				got = slices.DeleteFunc(got, func(s string) bool { return !strings.HasSuffix(s, "0\r\n\r\n") && strings.Contains(s, "chunked") })
			}
			if !slices.Equal(got, tt.seen) {
				t.Errorf("the instance got\n%q, want\n%q", got, tt.seen)
			}
		})
	}
}

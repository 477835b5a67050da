package transport

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// errSpeaksTLS is what a port says, in its own way, that we spoke to without TLS.
var errSpeaksTLS = errors.New("that port speaks TLS, and the request was plain; add tls to the service, or mend the port")

// isAlert reports whether the beginning of an answer is a TLS alert.
func isAlert(p []byte) bool { return len(p) >= 3 && p[0] == 0x15 && p[1] == 3 && p[2] <= 4 }

// errSpeaksHTTP2 is what a port says that has nothing else than HTTP/2: its settings,
// whatever it was sent.
var errSpeaksHTTP2 = errors.New("the endpoint speaks HTTP/2 here and did not read the request; set protocol: h2c, or grpc")

// isSettings reports whether an answer begins as HTTP/2 does: a SETTINGS frame of
// a few of them, on no stream (RFC 9113, sections 3.4 and 6.5).
func isSettings(p []byte) bool {
	return len(p) >= 9 && p[0] == 0 && p[1] == 0 && p[2]%6 == 0 && p[3] == 4 && p[4] == 0 && p[5]|p[6]|p[7]|p[8] == 0
}

// tlsPortWords are what servers answer with to a plain request at their TLS port:
// Go's net/http, nginx, Apache and Tomcat, in this order.
func tlsPortWords() []string {
	return []string{
		"HTTP request to an HTTPS server",
		"plain HTTP request was sent to HTTPS port",
		"speaking plain HTTP to an SSL-enabled server port",
		"combination of host and port requires TLS",
	}
}

// saysTLS reports whether the content of an answer to a plain request says that
// the port speaks TLS. No request gets further than that at such a port.
func saysTLS(resp *http.Response, content []byte) bool {
	if resp.StatusCode != http.StatusBadRequest || !resp.Close {
		return false
	}
	for _, words := range tlsPortWords() {
		if bytes.Contains(content, []byte(words)) {
			return true
		}
	}
	return false
}

// unmeasured reports whether an answer may be the one of Go's server, which gives
// no length. What it says is looked at before its head is handed on.
func unmeasured(resp *http.Response) bool {
	return resp.StatusCode == http.StatusBadRequest && resp.ProtoMajor == 1 && resp.ProtoMinor == 0 && resp.ContentLength < 0
}

// peek reads the first bytes of an answer's body, and puts them back.
func peek(resp *http.Response) []byte {
	first := make([]byte, 256)
	n, _ := io.ReadFull(resp.Body, first) // whoever reads on gets the error
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), resp.Body), resp.Body}
	return first[:n]
}

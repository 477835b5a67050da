package lifttest

import (
	"net/http"
	"time"
)

// Fault is a way in which an endpoint misbehaves. Pass it to [Endpoint.Break].
type Fault struct {
	name   string
	times  int // 0: until Heal
	refuse bool
	status int
	slow   time.Duration
	hang   bool
	cut    int // bytes of the answer that are sent; -1: all
}

// Refuse makes the endpoint refuse connections, and breaks the open ones.
func Refuse() Fault { return Fault{name: "refuse", refuse: true, cut: -1} }

// Hang makes the endpoint accept requests and never answer.
func Hang() Fault { return Fault{name: "hang", hang: true, cut: -1} }

// Slow makes the endpoint wait that long before it answers.
func Slow(by time.Duration) Fault { return Fault{name: "slow", slow: by, cut: -1} }

// Status makes the endpoint answer with this HTTP status and an empty body.
func Status(code int) Fault { return Fault{name: http.StatusText(code), status: code, cut: -1} }

// Reset makes the endpoint read the request and break the connection, without an
// answer.
func Reset() Fault { return Fault{name: "reset"} }

// Cut makes the endpoint break off its answer after that many bytes of the body.
func Cut(after int) Fault { return Fault{name: "cut", cut: max(1, after)} }

// Times limits the fault to n requests; to n connections for [Refuse].
func (f Fault) Times(n int) Fault {
	f.times = max(1, n)
	return f
}

// cutter passes on a number of bytes of a body and then breaks off.
type cutter struct {
	http.ResponseWriter
	left int
}

// Write implements http.ResponseWriter.
func (c *cutter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left <= 0 || err != nil {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// Flush implements http.Flusher, which gRPC requires.
func (c *cutter) Flush() { _ = http.NewResponseController(c.ResponseWriter).Flush() }

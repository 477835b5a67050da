package lifttest

import (
	"net/http"
	"time"
)

// Fault is something that an endpoint can suffer from. Give it to [Endpoint.Break].
type Fault struct {
	name   string
	times  int // 0: until Heal
	refuse bool
	status int
	slow   time.Duration
	hang   bool
	cut    int // bytes of the answer that come; -1: all
}

// Refuse has the endpoint take no connections, and breaks those that there are.
func Refuse() Fault { return Fault{name: "refuse", refuse: true, cut: -1} }

// Hang has the endpoint take requests and never answer.
func Hang() Fault { return Fault{name: "hang", hang: true, cut: -1} }

// Slow has the endpoint take its time before it answers.
func Slow(by time.Duration) Fault { return Fault{name: "slow", slow: by, cut: -1} }

// Status has the endpoint answer with this HTTP status, and an empty body.
func Status(code int) Fault { return Fault{name: http.StatusText(code), status: code, cut: -1} }

// Reset has the endpoint take the request and break off without an answer.
func Reset() Fault { return Fault{name: "reset"} }

// Cut has the endpoint break off in the middle of its answer, after so many bytes
// of its body.
func Cut(after int) Fault { return Fault{name: "cut", cut: max(1, after)} }

// Times has the fault pass after n requests; after n connections for [Refuse].
func (f Fault) Times(n int) Fault {
	f.times = max(1, n)
	return f
}

// cutter lets so many bytes of a body through and then breaks off.
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

// Flush implements http.Flusher, which gRPC asks for.
func (c *cutter) Flush() { _ = http.NewResponseController(c.ResponseWriter).Flush() }

package plain

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// deadlineGrace is how long after a call's deadline a peer that reads slowly may
// still take what has come.
const deadlineGrace = 50 * time.Millisecond

// bufferSize is how much of an answer is in hand at a time.
const bufferSize = 32 << 10

// buffers holds what bodies are read into.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, bufferSize)
	return &p
}

func (b *buffers) put(p *[]byte) { b.pool.Put(p) }

// answer sends a response.
func (x *exchange) answer(resp *lift.Response, head bool) {
	h := x.w.Header()
	length := giveBack(h, resp.Header)
	if x.ends() {
		// What is left of the request would be taken for the next one.
		h.Set("Connection", "close")
	}
	if head || resp.Status == http.StatusNotModified {
		if n, err := strconv.ParseUint(length, 10, 63); err == nil {
			h.Set("Content-Length", strconv.FormatUint(n, 10))
		}
	}
	if head || resp.Status == http.StatusNotModified || resp.Status == http.StatusNoContent {
		x.w.WriteHeader(resp.Status)
		return
	}
	content, complete := resp.Body.Complete()
	switch n := resp.Body.Size(); {
	case x.grpc:
		h["Content-Length"] = nil // its messages have their own, and a status may follow
	case n >= 0 && (!complete || resp.Body.Trailer() == nil): // a length leaves no room for trailers
		h.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if complete {
		x.w.WriteHeader(resp.Status)
		if len(content) > 0 {
			_, _ = x.w.Write(content) // who is gone does not read it
		}
		x.trailers(resp.Body)
		return
	}
	r, err := resp.Body.Reader()
	if err != nil {
		x.failed(err)
		return
	}
	// The body may wait for the peer: from here on the deadline is ours to keep too.
	if left, limited := x.call.Remaining(x.s.cfg.Now()); limited {
		_ = x.conn.SetWriteDeadline(time.Now().Add(max(0, left) + deadlineGrace))
	}
	x.w.WriteHeader(resp.Status)
	_ = x.conn.Flush() // the head is news by itself
	x.pump(r, resp.Body)
}

// pump sends a body as it comes: what has come leaves before more is waited for.
// An answer that breaks off is broken off, so that it is not taken for whole; to
// gRPC its status says so.
func (x *exchange) pump(r io.Reader, body *lift.Body) {
	buf := x.s.buffers.get()
	defer x.s.buffers.put(buf)
	for {
		n, err := r.Read(*buf)
		if n > 0 {
			if _, werr := x.w.Write((*buf)[:n]); werr != nil {
				x.call.Cancel(ErrCallerVanished)
				panic(http.ErrAbortHandler)
			}
			if n < bufferSize && err == nil {
				_ = x.conn.Flush() // what cannot be sent shows at the next write
			}
		}
		switch err {
		case nil:
		case io.EOF:
			x.trailers(body)
			return
		default:
			if x.grpc {
				x.grpcBroken(err)
				return
			}
			panic(http.ErrAbortHandler)
		}
	}
}

// trailers sends what followed a body.
func (x *exchange) trailers(body *lift.Body) {
	h := x.w.Header()
	for _, f := range body.Trailer() {
		name := http.CanonicalHeaderKey(f.Name)
		if !betweenHops(name) && name != fieldError {
			h[http.TrailerPrefix+name] = append(h[http.TrailerPrefix+name], f.Value)
		}
	}
}

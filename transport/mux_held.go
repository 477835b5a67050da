package transport

import (
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

const (
	// holdHead is how long a gRPC answer's head is held back while nothing follows it.
	holdHead = 100 * time.Millisecond
	// holdData is how long its first message is held, once it is whole, for the end to
	// follow. Servers send the one message of a unary answer and its trailers in one go; a
	// stream's first message is late by that. Half a message is of no use to anybody, so
	// it has holdHead.
	holdData = 5 * time.Millisecond
)

// held is the beginning of a gRPC answer, which looks the same whether one message
// comes or many. It is read ahead of whoever wants it, for a short while: if it
// ends in that, it is judged with its trailers before its head goes on, and can be
// tried again.
type held struct {
	x    *muxExchange
	resp *http.Response

	came chan struct{} // holds one: more has come
	over chan struct{} // closed when no more is read ahead

	mu    sync.Mutex
	got   []byte
	err   error // what reading ended with
	letGo bool  // nothing more is to be read ahead

	direct bool // nothing more is read ahead; only for Read
}

// hold begins to read an answer ahead.
func (x *muxExchange) hold(resp *http.Response) *held {
	h := &held{x: x, resp: resp, came: make(chan struct{}, 1), over: make(chan struct{})}
	go h.pump()
	return h
}

func (h *held) pump() {
	defer close(h.over)
	defer h.x.contain("reading an answer", func(err error) { h.took(nil, err) })
	chunk := make([]byte, 4<<10)
	for {
		n, err := h.resp.Body.Read(chunk)
		if !h.took(chunk[:n], err) {
			return
		}
	}
}

// took keeps what has come, and reports whether to go on.
func (h *held) took(p []byte, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, p...)
	h.err = err
	select {
	case h.came <- struct{}{}:
	default:
	}
	return err == nil && !h.letGo && len(h.got) <= h.x.cfg.Whole
}

// outcome waits until the answer has ended, and returns it whole, or until it has
// shown that it is a stream, and returns neither it nor a failure.
func (h *held) outcome() (*lift.Body, *failure) {
	patience := time.NewTimer(holdHead)
	defer patience.Stop()
	for began := false; ; {
		select {
		case <-h.over:
			return h.whole()
		case <-h.came:
			if !began && h.hasMessage() {
				began = true
				patience.Reset(holdData)
			}
			continue
		case <-patience.C:
		case <-h.x.Done():
		}
		h.mu.Lock()
		h.letGo = true
		h.mu.Unlock()
		return nil, h.x.cutFailure()
	}
}

// hasMessage reports whether the first message is here, whole: a flag, four bytes of
// length, and so many bytes (gRPC's PROTOCOL-HTTP2.md).
func (h *held) hasMessage() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.got) >= 5 && uint64(len(h.got)-5) >= uint64(binary.BigEndian.Uint32(h.got[1:]))
}

// whole is the answer if it has ended.
func (h *held) whole() (*lift.Body, *failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.err == nil: // too much of it
		return nil, nil
	case h.err != io.EOF: //nolint:errorlint // by io.Reader's contract
		return nil, h.x.brokenOff(h.err, int64(len(h.got)), -1)
	}
	trailer, err := fieldsOf(h.resp.Trailer)
	if err != nil {
		return nil, &failure{code: lift.BadResponse, err: err}
	}
	body := lift.BytesBody(h.got)
	body.SetTrailer(trailer)
	return body, nil
}

// Read implements io.Reader for the stream that the answer turned out to be.
func (h *held) Read(p []byte) (int, error) {
	for {
		h.mu.Lock()
		n, err := copy(p, h.got), h.err
		h.got = h.got[n:]
		h.mu.Unlock()
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case !h.direct:
			<-h.over // what is read ahead last is on its way
			h.direct = true
		case err != nil:
			return 0, err
		default:
			return h.resp.Body.Read(p)
		}
	}
}

package lift

import (
	"errors"
	"io"
	"sync"
)

// ReplayLimit is how many bytes of a streamed request body are kept by default
// so that the request can be sent again. Source: linkerd2-proxy, retry body
// limit 64 KiB.
const ReplayLimit = 64 << 10

// ErrBodyClosed is the error of a body that was closed before its end. Readers of the
// body return it too.
var ErrBodyClosed = errors.New("body closed before its end")

// ErrBodySuperseded is the error that a reader of a request body returns once a later
// attempt reads the body.
var ErrBodySuperseded = errors.New("body is being read by a later attempt")

var errSpilled = errors.New("the body has been read past its replay buffer and cannot be sent again")

// Body is the content of a request or a response: bytes in memory, then a rest that
// is read as it arrives, if there is one. Up to a limit, bytes of the rest are kept once
// they are read, so that a later attempt can read the body from its beginning. Once more
// than that has been read, the body cannot be replayed.
//
// A nil *Body is an empty body. One goroutine at a time reads; Close may be called from
// any goroutine.
type Body struct {
	size int64
	keep int

	turn sync.Mutex // held while rest is read; taken before mu

	mu      sync.Mutex // never held while anything blocks
	head    []byte
	rest    io.ReadCloser
	read    int  // bytes read of rest
	spilled bool // head does not hold all bytes that were read of rest
	err     error
	reader  *bodyReader

	end struct {
		sync.Mutex
		over  bool
		err   error
		hooks []func(error)
	}
	trailer []Field
}

// BytesBody returns a body of bytes in memory. They are not copied and must not change.
func BytesBody(b []byte) *Body {
	body := &Body{head: b, size: int64(len(b)), err: io.EOF}
	body.end.over = true
	return body
}

// StreamBody returns a body that is read from rest as it arrives. size is its declared
// length in bytes, or -1 if that is unknown. Up to keep bytes are kept for a replay; 0
// keeps none, as for a response. Closing the body closes rest.
func StreamBody(rest io.ReadCloser, size int64, keep int) *Body {
	return &Body{rest: rest, size: size, keep: keep}
}

// Size returns the body's declared length in bytes, -1 if unknown.
func (b *Body) Size() int64 {
	if b == nil {
		return 0
	}
	return b.size
}

// Complete returns the body's content if all of it is in memory, without reading. The
// bytes must not be changed.
func (b *Body) Complete() (content []byte, ok bool) {
	if b == nil {
		return nil, true
	}
	if b.rest == nil {
		return b.head, true
	}
	return nil, false
}

// Replayable reports whether the body can be read from its beginning once more.
func (b *Body) Replayable() bool {
	if b == nil || b.rest == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.spilled && !b.isClosed()
}

// Reader returns a reader of the whole body from its beginning, and makes every
// earlier one return [ErrBodySuperseded]. It fails if the body cannot be replayed.
// Closing the reader does not close the body.
func (b *Body) Reader() (io.ReadCloser, error) {
	if b == nil {
		return nopReader{}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spilled {
		return nil, errSpilled
	}
	b.reader = &bodyReader{body: b}
	return b.reader, nil
}

// ReadAll reads the body to its end and closes it. A body of more than limit bytes is
// an error that [errors.Is] TooLarge; limit <= 0 means no limit.
func (b *Body) ReadAll(limit int64) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close()
	if content, ok := b.Complete(); ok {
		if limit > 0 && int64(len(content)) > limit {
			return nil, TooLarge
		}
		return content, nil
	}
	r, err := b.Reader()
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		return io.ReadAll(r)
	}
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		return nil, TooLarge
	}
	return content, err
}

// SetTrailer sets the fields that follow the body. The maker of the body calls it before
// its end is reported.
func (b *Body) SetTrailer(fields []Field) { b.trailer = fields }

// Trailer returns the fields that followed the body. It is valid once the body has ended.
func (b *Body) Trailer() []Field {
	if b == nil {
		return nil
	}
	return b.trailer
}

// OnEnd runs f when the body has ended: with nil at its clean end, with [ErrBodyClosed]
// if it was closed before that, else with the error that broke it. If the body has
// ended, f runs at once. Each f runs once, in the order they were given.
func (b *Body) OnEnd(f func(err error)) {
	if b == nil {
		f(nil)
		return
	}
	b.end.Lock()
	if !b.end.over {
		b.end.hooks = append(b.end.hooks, f)
		b.end.Unlock()
		return
	}
	err := b.end.err
	b.end.Unlock()
	f(err)
}

// Err returns what ended the body before its end: [ErrBodyClosed], or what broke it.
// nil if it ended well, or has not ended. Safe for concurrent use.
func (b *Body) Err() error {
	if b == nil {
		return nil
	}
	b.end.Lock()
	defer b.end.Unlock()
	return b.end.err
}

// Close ends the body at the current position, and closes its rest. A second Close, or
// one after the end, does nothing.
func (b *Body) Close() error {
	if b == nil || b.rest == nil {
		return nil
	}
	b.finish(ErrBodyClosed)
	return nil
}

func (b *Body) isClosed() bool {
	b.end.Lock()
	defer b.end.Unlock()
	return b.end.over && errors.Is(b.end.err, ErrBodyClosed)
}

// finish reports the end once. It may be called while another goroutine reads rest:
// closing rest wakes that goroutine.
func (b *Body) finish(err error) {
	b.end.Lock()
	if b.end.over {
		b.end.Unlock()
		return
	}
	b.end.over, b.end.err = true, err
	hooks := b.end.hooks
	b.end.hooks = nil
	b.end.Unlock()
	_ = b.rest.Close()
	for _, f := range hooks {
		f(err)
	}
}

type bodyReader struct {
	body *Body
	at   int // position in the body
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	b := r.body
	if n, err, done := r.replay(p); done {
		return n, err
	}
	b.turn.Lock() // an earlier reader may be waiting for the rest; the bytes that it gets are kept
	n, err, done := r.replay(p)
	if done {
		b.turn.Unlock()
		return n, err
	}
	n, err = b.rest.Read(p)
	b.take(r, p[:n], err)
	b.turn.Unlock()
	if err == nil {
		return n, nil
	}
	end := err
	if end == io.EOF { //nolint:errorlint // a reader's end is io.EOF itself
		end = nil
	}
	b.finish(end)
	if b.isClosed() {
		return 0, ErrBodyClosed
	}
	return n, err
}

// replay reads from the kept bytes. done is false if r must read the rest.
func (r *bodyReader) replay(p []byte) (n int, err error, done bool) { //nolint:revive // done qualifies err
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.reader != r:
		return 0, ErrBodySuperseded, true
	case !b.spilled && r.at < len(b.head):
		n = copy(p, b.head[r.at:])
		r.at += n
		return n, nil, true
	case b.rest == nil:
		return 0, io.EOF, true
	case r.at != b.read:
		return 0, errSpilled, true // an earlier reader has read past the buffer meanwhile
	case b.isClosed():
		return 0, ErrBodyClosed, true
	case b.err != nil:
		return 0, b.err, true
	}
	return 0, nil, false
}

// take keeps the bytes that r has read of the rest. turn is held.
func (b *Body) take(r *bodyReader, p []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.at += len(p)
	b.read += len(p)
	b.err = err
	if b.spilled || len(p) == 0 {
		return
	}
	if len(b.head)+len(p) > b.keep {
		b.spilled, b.head = true, nil
		return
	}
	b.head = append(b.head, p...)
}

// Close implements io.Closer; it leaves the body as it is.
func (r *bodyReader) Close() error { return nil }

type nopReader struct{}

func (nopReader) Read([]byte) (int, error) { return 0, io.EOF }
func (nopReader) Close() error             { return nil }

package transport

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"sync"
	"sync/atomic"

	"github.com/liftmesh/lift"
)

// uploadChunk is how much of a live request body is read at a time.
const uploadChunk = 16 << 10

// errUploadEnded is what reading an upload gives once the exchange is over.
var errUploadEnded = errors.New("the exchange is over")

// uploadError is a request body that broke at the caller's end.
type uploadError struct{ err error }

func (e *uploadError) Error() string { return e.err.Error() }
func (e *uploadError) Unwrap() error { return e.err }

// upload is a request body that is still coming in, as net/http reads it. The
// body is read in a goroutine of its own, because a read of it waits for the
// caller, who may never send more, while the exchange has to end when its
// connection does. The goroutine ends with the exchange, or with the read that
// it is in: whoever made the call closes the body when the call is over.
type upload struct {
	bounds *bounds // are told when the caller is waited for
	body   *lift.Body
	size   int64 // declared, -1 if unknown
	// trailer is the request's, filled at the body's end; only what was announced.
	trailer http.Header
	begin   sync.Once
	ended   atomic.Bool // all of it has been read, and so is on its way

	over    chan struct{}
	overing sync.Once
	chunks  chan chunk
	taken   chan struct{} // the last chunk's bytes may be written over

	rest []byte // of the last chunk; only for Read
	err  error
	lent bool
}

type chunk struct {
	data []byte
	err  error
}

func (b *bounds) newUpload(body *lift.Body) *upload {
	u := &upload{bounds: b, body: body, size: body.Size(), over: make(chan struct{}), chunks: make(chan chunk), taken: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watch.upload, b.watch.unsent = u, true
	return u
}

// abort ends the exchange's interest in the body. Safe for concurrent use, on nil too.
func (u *upload) abort() {
	if u != nil {
		u.overing.Do(func() { close(u.over) })
	}
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	u.begin.Do(func() { go u.pump() })
	for len(u.rest) == 0 {
		if u.err != nil {
			u.ended.Store(u.err == io.EOF) //nolint:errorlint // the pump passes it on as it is
			return 0, u.err
		}
		if u.lent {
			u.lent = false
			select {
			case u.taken <- struct{}{}:
			case <-u.over:
				return 0, errUploadEnded
			}
		}
		// That this is called means that all which came before is on its way.
		u.bounds.uploading(u, caller, false)
		select {
		case c := <-u.chunks:
			u.rest, u.err, u.lent = c.data, c.err, true
			whole := u.err == io.EOF //nolint:errorlint // the pump passes it on as it is
			if whole {
				u.finish()
			}
			u.bounds.uploading(u, endpoint, whole)
		case <-u.over:
			return 0, errUploadEnded
		}
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// finish fills the trailer, which net/http writes after the body's end.
func (u *upload) finish() {
	for _, f := range u.body.Trailer() {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if _, announced := u.trailer[name]; !announced {
			continue
		}
		if _, bad := badValueByte(f.Value); !bad {
			u.trailer[name] = append(u.trailer[name], f.Value)
		}
	}
}

// Close implements io.Closer.
func (u *upload) Close() error {
	u.abort()
	return nil
}

func (u *upload) pump() {
	defer u.bounds.contain("reading a request's body", func(err error) { u.give(chunk{err: &uploadError{err}}) })
	r, err := u.body.Reader()
	if err != nil {
		u.give(chunk{err: &uploadError{err}})
		return
	}
	defer func() { _ = r.Close() }() // leaves the body as it is
	buf := make([]byte, uploadChunk)
	var total int64
	for {
		n, err := r.Read(buf)
		total += int64(n)
		switch {
		case u.size >= 0 && total > u.size:
			err = &uploadError{errors.New("the request's body is longer than it was declared to be")}
			n = 0
		case err == io.EOF && u.size >= 0 && total < u.size:
			err = &uploadError{io.ErrUnexpectedEOF}
		case err != nil && err != io.EOF:
			err = &uploadError{err}
		}
		if !u.give(chunk{buf[:n], err}) || err != nil {
			return
		}
		select {
		case <-u.taken:
		case <-u.over:
			return
		}
	}
}

// give hands a chunk on, unless the exchange is over.
func (u *upload) give(c chunk) bool {
	select {
	case u.chunks <- c:
		return true
	case <-u.over:
		return false
	}
}

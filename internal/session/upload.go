package session

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// upload is a request's body that is read from a stream, or is too long for the
// head's frame.
type upload struct {
	r     io.Reader
	first []byte // went with the head; kept for another session
	whole bool   // first is all of it
}

// buffers holds what request bodies are read into.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, wire.MaxData)
	return &p
}

func (b *buffers) put(p *[]byte) { b.pool.Put(p) }

// load puts the beginning of the request's body into the head: all of a body that
// is here and short, or declared to be short; of a longer one that is here, as
// much as fits; of a stream, nothing, since the answer may have to begin first.
func (k *call) load(h *liftv1.Call, limit int) error {
	b := k.c.Body
	content, here := b.Complete()
	switch {
	case here && len(content) <= limit:
		h.Body, h.BodySize, h.End = content, int64(len(content)), true
		h.Trailer = wire.Fields(b.Trailer())
		return nil
	case k.body == nil:
		k.mu.Lock()
		k.loading = !k.over
		k.mu.Unlock()
		u, err := begin(b, here, limit)
		k.mu.Lock()
		k.loading = false
		k.mu.Unlock()
		if cause := k.failure(); cause != nil {
			return cause
		}
		if err != nil {
			return &lift.Error{Code: lift.InvalidCall, Err: fmt.Errorf("the request's body: %w", err)}
		}
		k.body = u
	}
	h.Body, h.BodySize, h.End = k.body.first, b.Size(), k.body.whole
	if h.End {
		h.Trailer = wire.Fields(b.Trailer())
	}
	return nil
}

// begin opens a body and reads what goes with the head.
func begin(b *lift.Body, here bool, limit int) (u *upload, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading it panicked: %v", p)
		}
	}()
	r, err := b.Reader()
	if err != nil {
		return nil, err
	}
	u = &upload{r: r}
	switch size := b.Size(); {
	case here:
		u.first = make([]byte, limit)
		_, err = io.ReadFull(r, u.first)
	case size >= 0 && size <= int64(limit):
		u.first, u.whole = make([]byte, size), true
		if _, err = io.ReadFull(r, u.first); err != nil {
			return nil, fmt.Errorf("it ended before its declared %d bytes: %w", size, err)
		}
		if n, rerr := r.Read(make([]byte, 1)); n > 0 || !errors.Is(rerr, io.EOF) {
			return nil, fmt.Errorf("it goes on after its declared %d bytes", size)
		}
	}
	return u, err
}

// pump sends the rest of the body once the head has left.
func (k *call) pump(s *session, id uint64) {
	defer func() {
		if p := recover(); p != nil {
			k.settle(&lift.Error{Code: lift.InvalidCall, Err: fmt.Errorf("reading the request's body panicked: %v", p)}, ours)
		}
	}()
	for {
		n, err := k.out.Take(wire.MaxData)
		if err != nil {
			return
		}
		buf := k.cl.pool.get()
		m, err := k.body.r.Read((*buf)[:n])
		k.out.Return(n - m)
		end := err == io.EOF //nolint:errorlint // the contract of Read
		if m == 0 && !end {
			k.out.Sent()
			k.cl.pool.put(buf)
		} else {
			data := &liftv1.Data{Id: id, Body: (*buf)[:m], End: end}
			if end {
				data.Trailer = wire.Fields(k.c.Body.Trailer())
			}
			f := &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Data{Data: data}}
			d := &dataFrame{k, buf}
			if !s.w.Data(f, m+16, d) {
				d.Gone(f)
				return
			}
		}
		switch {
		case end:
			return
		case errors.Is(err, lift.ErrBodySuperseded), errors.Is(err, lift.ErrBodyClosed):
			k.settle(&lift.Error{Code: lift.CallCanceled, Err: fmt.Errorf("the request's body was taken away: %w", err)}, ours)
			return
		case err != nil:
			k.settle(&lift.Error{Code: lift.InvalidCall, Err: fmt.Errorf("the request's body broke off: %w", err)}, ours)
			return
		}
	}
}

// dataFrame hears of one piece of a request's body.
type dataFrame struct {
	k   *call
	buf *[]byte
}

// Leaves implements wire.Owner.
func (d *dataFrame) Leaves(*liftv1.ClientFrame) bool {
	d.k.mu.Lock()
	defer d.k.mu.Unlock()
	return !d.k.over
}

// Gone implements wire.Owner.
func (d *dataFrame) Gone(*liftv1.ClientFrame) {
	d.k.cl.pool.put(d.buf)
	d.k.out.Sent()
}

// closeQuietly closes a body that is not ours; what its Close does must not cost
// us a goroutine.
func closeQuietly(b *lift.Body) {
	defer func() { _ = recover() }()
	_ = b.Close()
}

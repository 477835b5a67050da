package sdk_test

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/liftmesh/lift"
)

// engine is a fake lift.Caller: answer says what it does with a call. It checks
// what every caller relies on: that a call is ended, and once.
type engine struct {
	t      *testing.T
	answer func(c *lift.Call) (*lift.Response, error)

	mu    sync.Mutex
	calls []*lift.Call
	ended int
}

func newEngine(t *testing.T, answer func(c *lift.Call) (*lift.Response, error)) *engine {
	e := &engine{t: t, answer: answer}
	t.Cleanup(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.ended != len(e.calls) {
			t.Errorf("%d calls came in, %d were ended", len(e.calls), e.ended)
		}
	})
	return e
}

func (e *engine) Call(c *lift.Call) (*lift.Response, error) {
	e.mu.Lock()
	e.calls = append(e.calls, c)
	e.mu.Unlock()
	c.Hold(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.ended++
	})
	return e.answer(c)
}

func (e *engine) last() *lift.Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.calls) == 0 {
		e.t.Fatal("no call came in")
	}
	return e.calls[len(e.calls)-1]
}

func (e *engine) count() (calls, ended int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls), e.ended
}

func ok(body string, header ...lift.Field) *lift.Response { return statusOf(200, body, header...) }

func statusOf(code int, body string, header ...lift.Field) *lift.Response {
	return &lift.Response{Status: code, Header: header, Body: lift.BytesBody([]byte(body))}
}

// always answers every call alike.
func always(code int, body string, header ...lift.Field) func(*lift.Call) (*lift.Response, error) {
	return func(*lift.Call) (*lift.Response, error) { return statusOf(code, body, header...), nil }
}

// silent takes calls as an engine does that gets no answer: it stands until the
// call is canceled, and says so.
func silent(c *lift.Call) (*lift.Response, error) {
	<-c.Done()
	return nil, lift.Errorf(c, lift.CallCanceled, "the caller gave up: %w", c.Err())
}

// live is a response's body in the making: what is written comes out at the
// other end, and canceling the call breaks it off.
type live struct {
	*io.PipeWriter
	body *lift.Body
}

func stream(c *lift.Call) *live {
	r, w := io.Pipe()
	l := &live{PipeWriter: w, body: lift.StreamBody(r, -1, 0)}
	stop := c.OnCancel(func() {
		_ = w.CloseWithError(lift.Errorf(&lift.Call{Service: c.Service}, lift.CallCanceled, "%w", c.Err()))
	})
	l.body.OnEnd(func(error) { stop() })
	return l
}

// tracked is a request body that knows whether it was closed.
type tracked struct {
	io.Reader
	mu     sync.Mutex
	closed int
}

func (b *tracked) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	if c, ok := b.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (b *tracked) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed > 0
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

func wantCode(t *testing.T, err error, code lift.Code) *lift.Error {
	t.Helper()
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		t.Fatalf("got error %v (%T), want a *lift.Error %s", err, err, code)
	}
	if !errors.Is(err, code) {
		t.Fatalf("got code %s (%v), want %s", e.Code, err, code)
	}
	return e
}

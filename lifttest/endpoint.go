package lifttest

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/liftmesh/lift/internal/pipenet"
)

// Endpoint is one instance of a test's service. Safe for concurrent use.
type Endpoint struct {
	service *Service
	addr    string
	host    *pipenet.Host
	gone    bool // from the registry; guarded by service.mu

	mu    sync.Mutex
	fault *Fault
	heal  chan struct{} // closed when the fault has ended
	seen  []*Request
}

// Request is one request as an endpoint received it.
type Request struct {
	Method string
	// Path and query.
	Path   string
	Header http.Header
	// Body is the part of the body that the handler read, 64 KiB at most.
	Body []byte
	// Fault is the name of the fault that the endpoint had at that time, "" for none.
	Fault string
}

// bodyLimit is how much of a request's body is kept, in bytes.
const bodyLimit = 64 << 10

// Addr returns the endpoint's address, as records and errors show it.
func (e *Endpoint) Addr() string { return e.addr }

// Break gives the endpoint the fault f, which replaces an earlier one.
func (e *Endpoint) Break(f Fault) {
	e.Heal()
	e.mu.Lock()
	e.fault, e.heal = &f, make(chan struct{})
	e.mu.Unlock()
	if f.refuse {
		e.host.HangUp()
	}
}

// Heal ends the endpoint's fault. Requests that hang are then answered.
func (e *Endpoint) Heal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.healLocked()
}

func (e *Endpoint) healLocked() {
	if e.fault != nil {
		e.fault = nil
		close(e.heal)
	}
}

// HangUp breaks the endpoint's connections, as servers do with idle ones. The endpoint
// accepts new ones.
func (e *Endpoint) HangUp() { e.host.HangUp() }

// Requests returns the requests that the endpoint has received so far, in order.
func (e *Endpoint) Requests() []Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]Request, 0, len(e.seen))
	for _, r := range e.seen {
		one := *r
		one.Header, one.Body = r.Header.Clone(), slices.Clone(r.Body)
		all = append(all, one)
	}
	return all
}

// Calls returns how many requests the endpoint has received so far.
func (e *Endpoint) Calls() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.seen)
}

// suffer returns the fault of the next request or connection, and a channel that is
// closed when the fault ends.
func (e *Endpoint) suffer(connecting bool) (f Fault, healed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f = Fault{cut: -1}
	if e.fault == nil || e.fault.refuse != connecting {
		return f, nil
	}
	f, healed = *e.fault, e.heal
	if e.fault.times > 0 {
		if e.fault.times--; e.fault.times == 0 {
			e.healLocked()
			healed = nil // it does not end for later requests
		}
	}
	return f, healed
}

func (e *Endpoint) dial(context.Context) (net.Conn, error) {
	if f, _ := e.suffer(true); f.refuse {
		return nil, pipenet.Refused()
	}
	return e.host.Dial()
}

// ServeHTTP implements http.Handler, for the endpoint's own server.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, healed := e.suffer(false)
	rec := &Request{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Fault: f.name}
	e.mu.Lock()
	e.seen = append(e.seen, rec)
	e.mu.Unlock()
	r.Body = &kept{ReadCloser: r.Body, e: e, rec: rec}
	if f.hang {
		e.wait(r, healed, nil)
	}
	if f.slow > 0 {
		late := time.NewTimer(f.slow)
		e.wait(r, healed, late.C)
		late.Stop()
	}
	switch {
	case f.cut == 0:
		panic(http.ErrAbortHandler) // breaks the connection, or the stream of HTTP/2
	case f.cut > 0:
		e.handle(&cutter{w, f.cut}, r)
		panic(http.ErrAbortHandler) // a shorter answer breaks off at its end
	case f.status != 0:
		w.WriteHeader(f.status)
	default:
		e.handle(w, r)
	}
}

// handle runs the service's handler. A panic breaks the connection, or the stream of
// HTTP/2, as in net/http, and is shown with its stack.
func (e *Endpoint) handle(w http.ResponseWriter, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			e.service.mesh.out.printf("lifttest: the handler of the service %q panicked, asked for %s %s at %s: %v\n%s",
				e.service.name, r.Method, r.URL.Path, e.addr, p, debug.Stack())
			panic(http.ErrAbortHandler)
		}
	}()
	e.service.handler.ServeHTTP(w, r)
}

// wait waits until the fault has ended, or time is up. It does not return if the caller
// gives up or the endpoint is killed.
func (e *Endpoint) wait(r *http.Request, healed <-chan struct{}, up <-chan time.Time) {
	select {
	case <-healed:
	case <-up:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-e.host.Gone():
		panic(http.ErrAbortHandler)
	}
}

// kept keeps the bytes that are read of a request's body.
type kept struct {
	io.ReadCloser
	e   *Endpoint
	rec *Request
}

// Read implements io.Reader.
func (k *kept) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	k.e.mu.Lock()
	defer k.e.mu.Unlock()
	k.rec.Body = append(k.rec.Body, p[:min(n, bodyLimit-len(k.rec.Body))]...)
	return n, err
}

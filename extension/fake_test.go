package extension_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/liftmesh/lift/extension"
)

const apiAddr = "runtime.test:9001"

// memory is a network with one listener and no sockets, so that it works
// inside a synctest bubble.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex
	dials  int
	refuse int // dials still to be refused
}

func newMemory() *memory {
	return &memory{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (m *memory) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	m.mu.Lock()
	m.dials++
	refused := m.refuse > 0
	if refused {
		m.refuse--
	}
	m.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

type constError string

func (e constError) Error() string { return string(e) }

const errRefused = constError("connection refused")

// asked is one request as the fake saw it.
type asked struct {
	method, path string
	header       http.Header
	body         map[string]any
}

// fake is Lambda's Extensions API: a handler for each path, and what was asked.
type fake struct {
	net *memory

	mu    sync.Mutex
	log   []asked
	routs map[string]http.HandlerFunc
}

// newFake serves a fake API until the test has ended.
func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{net: newMemory(), routs: map[string]http.HandlerFunc{}}
	f.on("register", registered)
	server := &http.Server{Handler: f}
	go func() { _ = server.Serve(f.net) }()
	t.Cleanup(func() { _ = server.Close() })
	return f
}

func (f *fake) client(t *testing.T, cfg extension.Config) *extension.Client {
	t.Helper()
	cfg.API, cfg.Dial = apiAddr, f.net.dial
	if cfg.Name == "" {
		cfg.Name = "lift"
	}
	c := extension.New(cfg)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// on answers path with each handler in turn, and with the last from then on.
func (f *fake) on(path string, handlers ...http.HandlerFunc) {
	n := 0
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routs["/2020-01-01/extension/"+path] = func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		f.mu.Unlock()
		h(w, r)
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	a := asked{method: r.Method, path: r.URL.Path, header: r.Header}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			panic(err)
		}
	}
	f.mu.Lock()
	f.log = append(f.log, a)
	h := f.routs[r.URL.Path]
	f.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

// asked returns the requests for path, in order.
func (f *fake) asked(path string) []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []asked
	for _, a := range f.log {
		if a.path == "/2020-01-01/extension/"+path {
			got = append(got, a)
		}
	}
	return got
}

func registered(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Lambda-Extension-Identifier", "3f8b0b2e-1111-4222-8333-444455556666")
	_, _ = io.WriteString(w, `{"functionName":"f","functionVersion":"$LATEST","handler":"bootstrap","accountId":"123456789012","new":1}`)
}

// answer is a handler that always says the same.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8") // as AWS's emulator does
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// reset breaks the connection off without an answer.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers when the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

const (
	invokeJSON = `{"eventType":"INVOKE","deadlineMs":1795390740358,"requestId":"25688f29","invokedFunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:f",` +
		`"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1"}}`
	shutdownJSON = `{"eventType":"SHUTDOWN","deadlineMs":1795390442371,"shutdownReason":"spindown"}`
)

func refusal(errorType, message string) http.HandlerFunc {
	b, _ := json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message})
	return answer(http.StatusForbidden, string(b))
}

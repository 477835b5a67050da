package extension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

const (
	opRegister  = "register"
	opNext      = "next"
	opInitError = "init/error"
	opExitError = "exit/error"

	base = "/2020-01-01/extension/"

	headerName        = "Lambda-Extension-Name"
	headerIdentifier  = "Lambda-Extension-Identifier"
	headerFeature     = "Lambda-Extension-Accept-Feature"
	headerErrorType   = "Lambda-Extension-Function-Error-Type"
	eventTypeRejected = "Extension.InvalidEventType"

	// maxAnswer is the largest answer that is read, in bytes. An event carries no
	// payload and stays under 4 KiB.
	maxAnswer = 256 << 10
)

// Config says how to reach the Extensions API, and the name to register.
type Config struct {
	// API is host:port of the Extensions API; see [FromEnv].
	API string
	// Name is the full name of the program's file in /opt/extensions. With any other
	// name Lambda assumes an internal extension, and refuses to register it for
	// Shutdown. Default: the base name of os.Args[0].
	Name string
	// Managed says that the environment is one of Lambda Managed Instances; see
	// [Env.Managed]. Default false.
	Managed bool
	// Dial opens a connection to API. Default: TCP. A proxy is never used.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Rand returns a number in [0,1) for the jitter of waits. Default: math/rand/v2.
	Rand func() float64
}

// Client calls the Extensions API. Call Register first, once. Only one goroutine at a
// time may range over Events; others may call InitError, ExitError and Close meanwhile.
type Client struct {
	cfg       Config
	transport *http.Transport
	id        atomic.Pointer[string]
	over      atomic.Bool // an error report has been accepted

	mu     sync.Mutex
	idle   *http.ClientConn
	closed bool
}

// New returns a client. It does not dial yet.
func New(cfg Config) *Client {
	if cfg.Name == "" {
		cfg.Name = filepath.Base(os.Args[0])
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &Client{cfg: cfg, transport: &http.Transport{
		DialContext:            cfg.Dial,
		Protocols:              http1,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// Close closes the connection that is kept between calls. It does not end Events; its
// context does.
func (c *Client) Close() error {
	c.mu.Lock()
	cc := c.idle
	c.idle, c.closed = nil, true
	c.mu.Unlock()
	if cc == nil {
		return nil
	}
	return cc.Close()
}

// do sends one request and returns the answer if its status is want. Otherwise it
// returns an *Error. Only ctx limits its time. It never sends a request twice, which
// http.Transport's pool might do and which would lose an event of next.
func (c *Client) do(ctx context.Context, op, method string, header http.Header, body any, want int) (http.Header, []byte, error) {
	fail := func(status int, err error) error {
		return &Error{Op: op, Status: status, Err: err, api: c.cfg.API}
	}
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, nil, fail(0, err)
		}
		payload = bytes.NewReader(b)
		header.Set("Content-Type", "application/json")
	}
	path := op
	if op == opNext {
		path = "event/next"
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.cfg.API+base+path, payload)
	if err != nil {
		return nil, nil, fail(0, err)
	}
	req.Header = header

	cc, err := c.conn(ctx)
	if err != nil {
		return nil, nil, fail(0, err)
	}
	resp, err := cc.RoundTrip(req)
	if err != nil {
		_ = cc.Close()
		return nil, nil, fail(0, err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	_ = resp.Body.Close()
	if err != nil {
		_ = cc.Close()
		return nil, nil, fail(resp.StatusCode, err)
	}
	if resp.Close {
		_ = cc.Close() // as the answer asks; net/http notices it only a moment later
	} else {
		c.keep(cc)
	}
	if resp.StatusCode != want {
		return nil, nil, c.refusal(op, resp.StatusCode, answer)
	}
	return resp.Header, answer, nil
}

// conn returns the kept connection if it still works, else a new one.
func (c *Client) conn(ctx context.Context) (*http.ClientConn, error) {
	c.mu.Lock()
	cc := c.idle
	c.idle = nil
	c.mu.Unlock()
	if cc != nil && cc.Err() == nil {
		return cc, nil
	}
	return c.transport.NewClientConn(ctx, "http", c.cfg.API)
}

// keep keeps cc for the next request, unless another is kept. There are two only while
// an error is reported as next waits.
func (c *Client) keep(cc *http.ClientConn) {
	c.mu.Lock()
	keep := c.idle == nil && !c.closed && cc.Err() == nil
	if keep {
		c.idle = cc
	}
	c.mu.Unlock()
	if !keep {
		_ = cc.Close()
	}
}

// identified returns the headers of every call after register.
func (c *Client) identified(op string) (http.Header, error) {
	id := c.id.Load()
	if id == nil {
		return nil, &Error{Op: op, Final: true, Err: errors.New("not registered"), api: c.cfg.API}
	}
	return http.Header{headerIdentifier: {*id}}, nil
}

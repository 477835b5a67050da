package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// maxTries is how often a call that has not left is put into a new session.
const maxTries = 4

// Client is a [lift.Caller] over one or a few sessions. Safe for concurrent use.
type Client struct {
	network string // unix or tcp, "" if opts.Dial knows
	socket  string // path or host:port
	opts    Options
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	slots   []*slot
	turn    atomic.Uint32
	work    sync.WaitGroup // every goroutine of ours
	pool    buffers

	mu      sync.Mutex
	closed  bool
	running map[string]*liftv1.InvocationStart // told again to every new session

	instances map[string]announced // likewise, by id
	keeping   bool                 // somebody sees to it
}

var _ lift.Caller = (*Client)(nil)

// Dial returns a client of the sidecar at an address, as [wire.Address] reads it. It
// connects at the first call or invocation: Dial itself does no I/O, and fails only
// for what is not an address, with lift.Misconfigured (lift.NoSidecar for "").
func Dial(socket string, opts Options) (*Client, error) {
	if socket == "" && opts.Dial == nil {
		return nil, &lift.Error{Code: lift.NoSidecar, Err: errors.New("the path of the sidecar's socket is empty; give the `socket:` of its lift.yaml")}
	}
	network := ""
	if opts.Dial == nil {
		var err error
		if network, socket, err = wire.Address(socket); err != nil {
			return nil, &lift.Error{Code: lift.Misconfigured, Err: err}
		}
	}
	opts.fill(network, socket)
	cl := &Client{network: network, socket: socket, opts: opts, running: map[string]*liftv1.InvocationStart{}, instances: map[string]announced{}}
	cl.ctx, cl.cancel = context.WithCancel(context.Background())
	for range opts.Sessions {
		cl.slots = append(cl.slots, &slot{cl: cl})
	}
	return cl, nil
}

// Call sends c to the sidecar and returns at the answer's head. Canceling c
// cancels the call in the sidecar too. c's record is filled from the sidecar's
// record at the head, and once more when the body has been read to its end. The
// request's body stays the caller's to close.
//
// Errors are as the sidecar made them, or lift.NoSidecar, lift.Incompatible,
// lift.Busy (too many connections), lift.SessionLost, lift.DeadlineExceeded,
// lift.CallCanceled, lift.InvalidCall.
func (cl *Client) Call(c *lift.Call) (*lift.Response, error) {
	k, err := newCall(cl, c)
	if err != nil {
		return nil, err
	}
	sl := cl.slots[0]
	if len(cl.slots) > 1 {
		sl = cl.slots[int(cl.turn.Add(1))%len(cl.slots)]
	}
	for try := 1; ; try++ {
		s, err := sl.session(k.settled, k.failure)
		if err == nil {
			err = k.run(s)
		}
		switch {
		case err == nil:
			return k.response(), nil
		case errors.Is(err, errNotSent) && try < maxTries:
			continue
		}
		return nil, k.finish(err)
	}
}

// InvocationStart tells the sidecar that the function begins to handle an
// invocation. It does not wait; sessions that open later, while the invocation
// runs, are told as well. deadline may be zero, trace and tenant "".
func (cl *Client) InvocationStart(id string, deadline time.Time, trace, tenant string) {
	in := &liftv1.InvocationStart{RequestId: id, DeadlineUnixNanos: wire.Nanos(deadline), Trace: trace, Tenant: tenant}
	cl.mu.Lock()
	if cl.closed {
		cl.mu.Unlock()
		return
	}
	cl.running[id] = in
	cl.mu.Unlock()
	cl.slots[0].tell(&liftv1.ClientFrame{Kind: &liftv1.ClientFrame_InvocationStart{InvocationStart: in}}, true)
}

// InvocationDone tells the sidecar that the function has handled the invocation.
// It does not wait.
func (cl *Client) InvocationDone(id string) {
	cl.mu.Lock()
	delete(cl.running, id)
	cl.mu.Unlock()
	cl.slots[0].tell(&liftv1.ClientFrame{Kind: &liftv1.ClientFrame_InvocationDone{
		InvocationDone: &liftv1.InvocationDone{RequestId: id},
	}}, false)
}

// invocations returns the ones that run, as frames.
func (cl *Client) invocations() []*liftv1.ClientFrame {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	var out []*liftv1.ClientFrame
	for _, in := range cl.running {
		out = append(out, &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_InvocationStart{InvocationStart: in}})
	}
	return out
}

// Close ends the sessions. Running calls fail with lift.SessionLost, later ones
// as well. It returns when everything that the client started has ended, except
// reads of request bodies that do not return.
func (cl *Client) Close() error {
	cl.mu.Lock()
	cl.closed = true
	cl.mu.Unlock()
	cl.cancel()
	for _, sl := range cl.slots {
		sl.close()
	}
	cl.work.Wait()
	return nil
}

// start runs f in the background unless the client is closed. f must contain its
// panics.
func (cl *Client) start(f func()) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed {
		return false
	}
	cl.work.Go(f)
	return true
}

var errClosed = errors.New("the client was closed")

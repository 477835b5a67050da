package session

import (
	"context"
	"maps"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/registry"
)

var _ registry.Registrar = (*Client)(nil)

// announced is an instance that the sidecar was asked to announce, and the session
// over which.
type announced struct {
	instance *liftv1.Instance
	over     *session
}

// Register implements [registry.Registrar]: the sidecar announces i. A sidecar that
// comes anew is told again, in the background, until Deregister or Close; an
// application that closes its client is taken back by the sidecar after a while.
func (cl *Client) Register(ctx context.Context, i registry.Instance) error {
	if err := i.Validate(); err != nil {
		return &lift.Error{Code: lift.InvalidCall, Service: i.Service, Err: err}
	}
	w := wire.Instance(i)
	s, err := cl.announce(ctx, w)
	if err != nil {
		return err
	}
	cl.mu.Lock()
	keeping := cl.keeping
	cl.instances[i.ID], cl.keeping = announced{w, s}, true
	cl.mu.Unlock()
	if !keeping {
		cl.start(cl.keepAnnounced)
	}
	return nil
}

func (cl *Client) announce(ctx context.Context, w *liftv1.Instance) (over *session, err error) {
	err = cl.ask(ctx, func(ctx context.Context, s *session) error {
		over = s
		_, err := s.api.Register(ctx, &liftv1.RegisterRequest{Instance: w})
		return err
	})
	return over, err
}

// Deregister implements [registry.Registrar].
func (cl *Client) Deregister(ctx context.Context, id string) error {
	cl.mu.Lock()
	delete(cl.instances, id) // whatever the sidecar says, it is not told anew
	cl.mu.Unlock()
	return cl.ask(ctx, func(ctx context.Context, s *session) error {
		_, err := s.api.Deregister(ctx, &liftv1.DeregisterRequest{Id: id})
		return err
	})
}

// keepAnnounced tells every new session of the instances, until there are none.
func (cl *Client) keepAnnounced() {
	defer func() { _ = recover() }() // what is announced stays so until the sidecar goes
	for failures := 0; ; {
		s, err := cl.slots[0].session(cl.ctx.Done(), cl.ctx.Err)
		var over <-chan struct{}
		if err == nil {
			var some bool
			if some, err = cl.tellAnew(s); !some {
				return
			}
			over = s.ctx.Done()
		}
		failures++
		again := time.NewTimer(cl.slots[0].pause(failures + 3))
		if err == nil {
			failures = 0
			again.Stop()
		}
		select {
		case <-over:
		case <-again.C:
		case <-cl.ctx.Done():
			again.Stop()
			return
		}
		again.Stop()
	}
}

// tellAnew tells s of the instances that it has not heard of, and returns the last
// error. Once there are none at all, some is false and nobody keeps them.
func (cl *Client) tellAnew(s *session) (some bool, err error) {
	cl.mu.Lock()
	all := maps.Clone(cl.instances)
	cl.keeping = len(all) > 0
	cl.mu.Unlock()
	for id, a := range all {
		if a.over == s {
			continue
		}
		ctx, cancel := context.WithTimeout(s.ctx, askLimit)
		over, failed := cl.announce(ctx, a.instance)
		cancel()
		cl.mu.Lock()
		if failed != nil {
			err = failed
		} else if cl.instances[id] == a {
			cl.instances[id] = announced{a.instance, over}
		}
		cl.mu.Unlock()
	}
	return len(all) > 0, err
}

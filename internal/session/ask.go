package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// askLimit is how long a question to the sidecar may take if its context sets no
// deadline: what it asks for is in memory there.
const askLimit = 5 * time.Second

// Services implements [lift.Teller]. Without a deadline in ctx it waits 5 s at most.
func (cl *Client) Services(ctx context.Context, names ...string) ([]lift.ServiceStatus, error) {
	var got *liftv1.ServicesResponse
	err := cl.ask(ctx, func(ctx context.Context, s *session) (err error) {
		got, err = s.api.Services(ctx, &liftv1.ServicesRequest{Names: names})
		return err
	})
	if err != nil {
		return nil, err
	}
	return wire.FromServices(got.GetServices()), nil
}

// ask puts one question to the sidecar, over the connection of a session.
func (cl *Client) ask(ctx context.Context, question func(ctx context.Context, s *session) error) error {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askLimit)
		defer cancel()
	}
	for try := 1; ; try++ {
		s, err := cl.slots[0].session(ctx.Done(), func() error { return cl.asked(ctx, ctx.Err()) })
		if err != nil {
			return err
		}
		err = question(ctx, s)
		if err == nil {
			return nil
		}
		code := status.Code(err)
		broke := code == codes.Unavailable || code == codes.Canceled && ctx.Err() == nil
		if broke && wire.FromStatus(err, cl.opts.Now()) == nil && try < maxTries {
			s.goAway() // its connection takes no more; what is asked here can be asked again
			continue
		}
		return cl.asked(ctx, err)
	}
}

// asked makes the error of a question a [*lift.Error].
func (cl *Client) asked(ctx context.Context, err error) error {
	if e := wire.FromStatus(err, cl.opts.Now()); e != nil {
		return e
	}
	code := lift.SessionLost
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded:
		code = lift.DeadlineExceeded
		err = fmt.Errorf("no answer came in time; it hangs, or has too little CPU: %w", err)
	case ctx.Err() != nil:
		code = lift.CallCanceled
		err = context.Cause(ctx)
	case status.Code(err) == codes.Unimplemented:
		code = lift.Incompatible
		err = fmt.Errorf("it does not know this question; update the sidecar (the layer): %w", err)
	}
	return &lift.Error{Code: code, Err: fmt.Errorf("the sidecar at %s: %w", cl.socket, err)}
}

package session

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// patience is how long a call without any limit of its own waits before it asks
// whether the sidecar lives, again and again while it is out. Every other call
// ends by its own limit.
const patience = 10 * time.Second

// doubt asks whether the sidecar of a call still lives that nothing else limits.
func (k *call) doubt() {
	k.mu.Lock()
	s, over := k.s, k.over
	k.mu.Unlock()
	if over {
		return
	}
	if s != nil {
		s.check()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over {
		k.timer.Reset(patience)
	}
}

// check ends a session whose sidecar does not answer within askLimit, though its
// connection stands: it hangs. Any answer is a sign of life. One check at a time.
func (s *session) check() {
	if !s.checking.CompareAndSwap(false, true) {
		return
	}
	defer s.checking.Store(false)
	ctx, cancel := context.WithTimeout(s.ctx, askLimit)
	defer cancel()
	_, err := grpc_health_v1.NewHealthClient(s.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if status.Code(err) == codes.DeadlineExceeded {
		s.end(fmt.Errorf("it has not answered for %s: it hangs, or has too little CPU", askLimit))
	}
}

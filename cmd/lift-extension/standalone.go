package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/liftmesh/lift/config"
)

// drainMax is for how long running calls may go on after the signal to end.
const drainMax = 25 * time.Second

// recheckEvery is how often it is looked whether the socket is still there: one
// stat, and callers wait that long at most for one that something has removed.
const recheckEvery = 2 * time.Second

// standalone is life beside a container: serve until SIGTERM, then let what
// runs come to its end. A broken configuration is refused here, at once and
// whole: whoever starts the process sees it, and nothing else depends on it yet.
func (p *program) standalone(ctx context.Context, problems config.Problems) int {
	defer p.mesh.Close()
	if len(problems) > 0 {
		p.log.Error("the configuration is broken; mend it and start again", "problems", problems.Error())
		return 1
	}
	p.sidecar.RecheckEvery = recheckEvery
	serving, err := p.listen(context.Background()) // the drain ends it, not the signal
	if err != nil {
		p.log.Error("cannot listen", "error", err.Error())
		return 1
	}
	door, err := p.openPlain(context.Background(), recheckEvery)
	if err != nil {
		p.log.Error("cannot listen", "error", err.Error())
		serving.drain(context.Background()) // nothing runs yet
		return 1
	}
	p.log.Info("serving", "socket", p.cfg.Socket, "plain", door.addresses(), "services", p.mesh.Names())
	select {
	case <-ctx.Done():
	case err := <-serving.failed:
		p.log.Error("the socket failed", "error", err.Error())
		return 1
	case err := <-door.failed:
		p.log.Error("the plain door failed", "error", fmt.Sprint(err))
		return 1
	}
	p.log.Info("draining", "most", drainMax.String())
	drain, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { door.drain(drain) })
	serving.drain(drain)
	both.Wait()
	return 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/extension"
)

// shutdownMargin is how long before Lambda's SIGKILL the process ends by itself.
const shutdownMargin = 200 * time.Millisecond

// thawGap is the time between two events after which connections may have died
// unseen, frozen or not: what an idle connection is trusted for by default.
const thawGap = 3 * time.Second

// lambda is life as an extension: listen, register, warm, then event after
// event. It ends at SHUTDOWN and at nothing else that it can outlive, for the
// environment ends with it.
func (p *program) lambda(ctx context.Context, env extension.Env, problems config.Problems) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.invocation.many = env.Managed()
	every := time.Duration(0)
	if env.Managed() {
		every = recheckEvery // it never freezes, and no INVOKE comes to do it at
	}
	in := p.doors(every)
	p.state.set(func(s *state) { s.lambda, s.doors = true, in })
	in.recheck(ctx) // first: the function may call as soon as all have registered
	defer in.close()
	client := extension.New(extension.Config{API: env.API, Managed: env.Managed()})
	if !p.register(ctx, client) {
		<-ctx.Done() // serve the function without events, for as long as we are left alive
	}
	if code, end := p.complain(ctx, client, problems); end {
		return code
	}
	p.warm(ctx)
	return p.events(ctx, client, in)
}

// events goes from event to event until SHUTDOWN.
func (p *program) events(ctx context.Context, client *extension.Client, in doors) int {
	last, said := p.now(), ""
	for event, err := range client.Events(ctx) {
		if err != nil {
			if said != err.Error() {
				said = err.Error()
				p.log.Error("asking Lambda for the next event", "error", said)
			}
			if e, ok := errors.AsType[*extension.Error](err); ok && e.Final {
				return 1 // Lambda says that the environment is broken for good
			}
			continue
		}
		said = ""
		if event.Type == extension.Shutdown {
			p.shutdown(event, in)
			return 0
		}
		p.invoked(ctx, event, last, in)
		last = p.now()
	}
	return 1
}

// invoked takes an INVOKE: it only makes known and starts what can run beside
// the invocation. What follows it is the call for the next event.
func (p *program) invoked(ctx context.Context, event extension.Event, last lift.Instant, in doors) {
	defer p.contain("an invocation's event")
	p.invocation.started(event.RequestID, event.Deadline)
	now := p.now()
	p.mesh.Invoked(ctx, now.Straddles(last) || now.Since(last) > thawGap)
	in.recheck(ctx)
}

// register registers, and keeps trying: without a registration Lambda's init
// does not go on, and to exit would end it for sure. It reports false where no
// registration can come any more, since the function runs already.
func (p *program) register(ctx context.Context, client *extension.Client) bool {
	said := ""
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		_, err := client.Register(ctx)
		if err == nil {
			return true
		}
		if said != err.Error() {
			said = err.Error()
			p.log.Error("registering with Lambda; trying again", "error", said)
		}
		if e, ok := errors.AsType[*extension.Error](err); ok && e.Type == "Extension.RegistrationClosed" {
			return false
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// complain tells of a broken configuration once, in the log and as a metric. A
// fault in it breaks calls, not the function, unless LIFT_ON_BROKEN_CONFIG says
// fail_init.
func (p *program) complain(ctx context.Context, client *extension.Client, problems config.Problems) (code int, end bool) {
	if len(problems) == 0 {
		return 0, false
	}
	p.log.Error("the configuration is broken; what it breaks answers every call with an error", "problems", problems.Error())
	_, _ = fmt.Fprintln(os.Stdout, brokenMetric(time.Now(), len(problems)))
	if os.Getenv("LIFT_ON_BROKEN_CONFIG") != "fail_init" {
		return 0, false
	}
	if err := client.InitError(ctx, "BrokenConfig", problems); err != nil {
		p.log.Error("reporting the broken configuration", "error", err.Error())
	}
	return 1, true
}

// brokenMetric is one line of CloudWatch's embedded metric format.
func brokenMetric(at time.Time, problems int) string {
	return fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"Lift","Dimensions":[[]],"Metrics":[{"Name":"config_problems","Unit":"Count"}]}]},"config_problems":%d}`, at.UnixMilli(), problems)
}

// warm uses the function's own init for first sets and warm connections.
func (p *program) warm(ctx context.Context) {
	defer p.contain("warming up")
	ctx, cancel := context.WithTimeout(ctx, p.cfg.InitWait)
	defer cancel()
	p.mesh.Warm(ctx)
}

func (p *program) shutdown(event extension.Event, in doors) {
	defer p.contain("shutting down")
	left := 2 * time.Second
	if !event.Deadline.IsZero() {
		left = min(left, event.Deadline.Sub(p.now().Wall))
	}
	p.state.set(func(s *state) { s.draining = true })
	p.log.Info("shutdown", "reason", string(event.Reason))
	ctx, cancel := context.WithTimeout(context.Background(), max(left-shutdownMargin, 0))
	defer cancel()
	calls := p.tally(in)
	in.drain(ctx)
	calls.log()
}

// contain keeps a panic of ours from ending the environment.
func (p *program) contain(where string) {
	if r := recover(); r != nil { //nolint:revive // contain is what is deferred
		p.log.Error("panic, contained", "where", where, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}

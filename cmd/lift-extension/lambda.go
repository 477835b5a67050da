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

// shutdownMargin is how long before Lambda's SIGKILL the process exits by itself.
const shutdownMargin = 200 * time.Millisecond

// thawGap is the time between two events after which connections may have died
// unnoticed, frozen or not. It is the default of safe_idle.
const thawGap = 3 * time.Second

// lambda runs as an extension: it listens, registers, warms up, and then handles
// events. It returns at SHUTDOWN, and before that only if it cannot go on, because the
// environment ends with the process.
func (p *program) lambda(ctx context.Context, env extension.Env, problems config.Problems) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.invocation.many = env.Managed()
	every := time.Duration(0)
	if env.Managed() {
		every = recheckEvery // there are no freezes, and no INVOKE events to do it at
	}
	in := p.doors(every)
	p.state.set(func(s *state) { s.lambda, s.doors = true, in })
	in.recheck(ctx) // before registering: after it, the function may call at any moment
	defer in.close()
	client := extension.New(extension.Config{API: env.API, Managed: env.Managed()})
	if !p.register(ctx, client) {
		<-ctx.Done() // serve the function without events until Lambda ends the process
	}
	if code, end := p.complain(ctx, client, problems); end {
		return code
	}
	p.warm(ctx)
	return p.events(ctx, client, in)
}

// events handles events until SHUTDOWN.
func (p *program) events(ctx context.Context, client *extension.Client, in doors) int {
	last, said := p.now(), ""
	for event, err := range client.Events(ctx) {
		if err != nil {
			if said != err.Error() {
				said = err.Error()
				p.log.Error("asking Lambda for the next event failed", "error", said)
			}
			if e, ok := errors.AsType[*extension.Error](err); ok && e.Final {
				return 1 // Lambda says that the environment cannot be used any more
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

// invoked handles an INVOKE event. It must not wait, because the invocation cannot end
// before Lift asks for the next event: it only notes the deadline and starts work that
// runs beside the invocation.
func (p *program) invoked(ctx context.Context, event extension.Event, last lift.Instant, in doors) {
	defer p.contain("an invocation's event")
	p.invocation.started(event.RequestID, event.Deadline)
	now := p.now()
	p.mesh.Invoked(ctx, now.Straddles(last) || now.Since(last) > thawGap)
	in.recheck(ctx)
}

// register registers, and tries until it succeeds: Lambda's init waits for it, and
// would fail if the process exited. It reports false if it is too late, because the
// function runs already.
func (p *program) register(ctx context.Context, client *extension.Client) bool {
	said := ""
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		_, err := client.Register(ctx)
		if err == nil {
			return true
		}
		if said != err.Error() {
			said = err.Error()
			p.log.Error("registering with Lambda failed; trying again", "error", said)
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

// complain reports a broken configuration once, in the log and as a metric. It breaks
// calls, not the function, unless LIFT_ON_BROKEN_CONFIG is fail_init.
func (p *program) complain(ctx context.Context, client *extension.Client, problems config.Problems) (code int, end bool) {
	if len(problems) == 0 {
		return 0, false
	}
	p.log.Error("the configuration is broken; calls to the services that it breaks fail", "problems", problems.Error())
	_, _ = fmt.Fprintln(os.Stdout, brokenMetric(time.Now(), len(problems)))
	if os.Getenv("LIFT_ON_BROKEN_CONFIG") != "fail_init" {
		return 0, false
	}
	if err := client.InitError(ctx, "BrokenConfig", problems); err != nil {
		p.log.Error("reporting the broken configuration to Lambda failed", "error", err.Error())
	}
	return 1, true
}

// brokenMetric returns one line in CloudWatch's embedded metric format.
func brokenMetric(at time.Time, problems int) string {
	return fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"Lift","Dimensions":[[]],"Metrics":[{"Name":"config_problems","Unit":"Count"}]}]},"config_problems":%d}`, at.UnixMilli(), problems)
}

// warm asks the registries and opens warm connections while the function starts.
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

// contain logs a panic, which would otherwise end the process and the environment.
func (p *program) contain(where string) {
	if r := recover(); r != nil { //nolint:revive // contain itself is deferred
		p.log.Error("panic, contained", "where", where, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}

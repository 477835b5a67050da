package emulator

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Result says how an invocation ended.
type Result struct {
	RequestID string
	// Payload is the function's answer, or the JSON of an error. An invocation
	// that was lost after the function had answered has its answer still.
	Payload []byte
	// FunctionError is empty if all went well, "Unhandled" if the function
	// answered an error, else the type of what ended the invocation:
	// Runtime.ExitError, Sandbox.Timedout, Extension.Crash ...
	FunctionError string
	// Fault says more where the platform or a dying process ended the
	// invocation; nil if the function itself answered.
	Fault *Fault
	// Init tells that processes were started for this invocation, Cold that it
	// is the first in its environment.
	Init, Cold bool
	// Answered is how long after its start the invocation was answered, 0 if
	// it was not; Duration is until extensions were done, too. Neither counts
	// an init that ran before the invocation.
	Answered, Duration time.Duration
}

// Option changes one invocation.
type Option func(*options)

type options struct {
	inv *invocation
	gap Gap
}

// WithGap describes the freeze that this invocation ends, in place of Config.Gap.
func WithGap(gap Gap) Option { return func(o *options) { o.gap = gap } }

// WithTrace gives the invocation's X-Ray trace header instead of a random one.
// "" means no tracing.
func WithTrace(header string) Option { return func(o *options) { o.inv.trace = header } }

// WithClientContext gives the client context, as JSON.
func WithClientContext(json string) Option {
	return func(o *options) { o.inv.clientContext = json }
}

// WithTenant gives the tenant; only the function is told of it.
func WithTenant(id string) Option { return func(o *options) { o.inv.tenant = id } }

// Invoke runs one invocation. It thaws a frozen environment, and starts one if
// there is none or the last was lost. What goes wrong in function or extensions
// is a Result with a FunctionError. An error is the emulator's own: ErrClosed,
// ErrTooLarge, ErrUnavailable, or ctx's, in which case the invocation itself
// runs on.
//
// One invocation runs at a time, and more wait for their turn; on managed
// instances up to Config.MaxConcurrency run, and more fail with ErrUnavailable.
func (e *Emulator) Invoke(ctx context.Context, payload []byte, opts ...Option) (*Result, error) {
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("emulator: %w (%d bytes)", ErrTooLarge, len(payload))
	}
	o := options{gap: e.cfg.Gap, inv: &invocation{id: newID(), payload: payload, trace: newTrace(time.Now())}}
	for _, opt := range opts {
		opt(&o)
	}
	if err := e.turn(ctx); err != nil {
		return nil, err
	}
	type outcome struct {
		result *Result
		err    error
	}
	done := make(chan outcome, 2)
	early := func(*Result) {}
	if e.cfg.AnswerEarly {
		early = func(r *Result) { done <- outcome{r, nil} }
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		<-e.slots
		return nil, ErrClosed
	}
	e.phases.Go(func() {
		result, err := e.run(&o, early)
		<-e.slots // before the caller is told, so that it finds the environment idle
		done <- outcome{result, err}
	})
	e.mu.Unlock()
	select {
	case out := <-done:
		return out.result, out.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// turn takes a slot.
func (e *Emulator) turn(ctx context.Context) error {
	if e.cfg.managed() {
		select {
		case e.slots <- struct{}{}:
			return nil
		default:
			return ErrUnavailable
		}
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-e.base.Done():
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *Emulator) run(o *options, early func(*Result)) (*Result, error) {
	inv := o.inv
	res := &Result{RequestID: inv.id}
	l, started, err := e.ready(o)
	res.Init = started
	if err == nil {
		res.Cold = l.fresh()
		began := time.Now()
		e.log("platform", fmt.Sprintf("START RequestId: %s Version: %s", inv.id, e.cfg.Version))
		ctx, cancel := within(e.base, inv.deadline)
		err = l.invoke(ctx, inv, func() {
			l.mu.Lock()
			res.Answered = inv.answered.Sub(began)
			l.mu.Unlock()
			now := *res
			now.fill(inv, nil)
			early(&now)
		})
		cancel()
		res.Duration = time.Since(began)
		e.log("platform", fmt.Sprintf("END RequestId: %s Duration: %.2f ms", inv.id, float64(res.Duration.Microseconds())/1000))
	}
	fault, isFault := errors.AsType[*Fault](err)
	switch {
	case errors.Is(err, errTimedOut) && !isFault:
		fault = &Fault{Type: "Sandbox.Timedout", Source: "platform", Err: errTimedOut}
		fault.Message = fmt.Sprintf("Task timed out after %.2f seconds", e.cfg.Timeout.Seconds())
	case err != nil && !isFault:
		return nil, err
	}
	e.after(l, fault)
	res.fill(inv, fault)
	return res, nil
}

// after freezes or resets the environment when an invocation is over. A
// managed instance survives a timeout.
func (e *Emulator) after(l *life, fault *Fault) {
	if l == nil {
		return
	}
	e.env.Lock()
	defer e.env.Unlock()
	switch {
	case fault != nil && l.lost() == nil && e.cfg.managed():
	case fault != nil:
		e.reset(l, reasonFor(fault))
	case e.cfg.FreezeWhenIdle:
		e.freezeLife(l)
	}
}

// ready gives the environment for an invocation: the one that is there, thawed,
// or a new one. The invocation's time begins when it is there, or, where init
// runs inside of it, before.
func (e *Emulator) ready(o *options) (l *life, started bool, err error) {
	e.env.Lock()
	defer e.env.Unlock()
	if err := context.Cause(e.base); err != nil {
		return nil, false, err
	}
	if l = e.current(); l != nil && l.lost() != nil {
		e.reset(l, Failure) // it died while nobody looked
		l = nil
	}
	if l != nil {
		if l.frozen() {
			err = e.thawLife(l, o.gap)
		}
		o.inv.deadline = time.Now().Add(e.cfg.Timeout)
		return l, false, err
	}
	if !e.tried || e.cfg.managed() {
		e.tried = true
		l, err = e.begin(e.base, time.Now().Add(e.cfg.InitLimit))
		if err == nil || e.cfg.managed() {
			o.inv.deadline = time.Now().Add(e.cfg.Timeout)
			return l, true, err
		}
		if e.base.Err() != nil {
			return nil, true, err
		}
		e.log("platform", err.Error()+"; init runs again inside the invocation")
	}
	o.inv.deadline = time.Now().Add(e.cfg.Timeout)
	l, err = e.begin(e.base, o.inv.deadline)
	if fault, ok := errors.AsType[*Fault](err); ok && fault.Type == "Sandbox.Timedout" {
		fault.Message = fmt.Sprintf("Task timed out after %.2f seconds: %s", e.cfg.Timeout.Seconds(), fault.Message)
	}
	return l, true, err
}

func (l *life) fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls == 0
}

// fill says in the result what the caller is told.
func (r *Result) fill(inv *invocation, fault *Fault) {
	r.Fault = fault
	if fault != nil {
		r.FunctionError = fault.Type
	}
	switch {
	case !inv.answered.IsZero():
		r.Payload = inv.answer
		if inv.failed {
			r.FunctionError = "Unhandled"
		}
	case fault != nil && fault.payload != nil:
		r.Payload = fault.payload
	case fault != nil:
		r.Payload = errorBody(fault.Type, "RequestId: "+inv.id+" Error: "+fault.Message)
	}
}

// newTrace makes a sampled X-Ray header of a trace that begins now.
func newTrace(now time.Time) string {
	var b [20]byte
	_, _ = rand.Read(b[:])                                                                                                   // never fails
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%016x;Sampled=1", uint32(now.Unix()), b[:12], binary.BigEndian.Uint64(b[12:])) //nolint:gosec // 32 bits is the format
}

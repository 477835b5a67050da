package emulator

import (
	"context"
	"encoding/json"
	"time"
)

// invoke hands an invocation to the function and to who registered for INVOKE,
// and waits until all have asked for the next event. answered is called when
// the function has answered. The error is a *Fault or ctx's cause.
func (l *life) invoke(ctx context.Context, inv *invocation, answered func()) error {
	l.admit(inv)
	defer l.drop(inv)
	if err := l.release(ctx, inv); err != nil {
		return err
	}
	if err := l.await(ctx, func() bool { return !inv.answered.IsZero() }); err != nil {
		return err
	}
	answered()
	if l.e.cfg.managed() {
		return nil
	}
	return l.await(ctx, l.idle)
}

// idle: function and all that had the INVOKE have asked for the next event. mu
// is held.
func (l *life) idle() bool {
	for _, a := range l.agents {
		if a.events[eventInvoke] && !a.idle() {
			return false
		}
	}
	return l.function.idle()
}

// release lets function and extensions go in the order of Config.FunctionLead.
func (l *life) release(ctx context.Context, inv *invocation) error {
	extensions := func() {
		body := l.invokeEvent(inv)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, a := range l.agents {
			if a.events[eventInvoke] {
				a.queue = append(a.queue, event{id: newID(), contentType: "application/json", body: body})
			}
		}
		l.wake()
	}
	function := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.function.queue = append(l.function.queue, inv)
		l.wake()
	}
	first, second, lead := extensions, function, -l.e.cfg.FunctionLead
	if lead < 0 {
		first, second, lead = function, extensions, -lead
	}
	first()
	if err := l.pause(ctx, lead); err != nil {
		return err
	}
	second()
	return nil
}

// pause waits for d, and ends early if the environment is lost or ctx ends.
func (l *life) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_ = l.await(timed, func() bool { return false }) // what ended it is asked for below
	if fault := l.lost(); fault != nil {
		return fault
	}
	return context.Cause(ctx)
}

func (l *life) invokeEvent(inv *invocation) []byte {
	type tracing struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	e := struct {
		Type     string   `json:"eventType"`
		Deadline int64    `json:"deadlineMs"`
		ID       string   `json:"requestId"`
		ARN      string   `json:"invokedFunctionArn"`
		Tracing  *tracing `json:"tracing,omitempty"`
	}{Type: eventInvoke, Deadline: l.e.shifted(inv.deadline), ID: inv.id, ARN: l.e.cfg.arn()}
	if inv.trace != "" {
		e.Tracing = &tracing{"X-Amzn-Trace-Id", inv.trace}
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and a number
	}
	return body
}

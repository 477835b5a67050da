package lift

import "context"

// cancelState is guarded by Call.mu.
type cancelState struct {
	err   error
	done  chan struct{} // made when first asked for
	hooks []*func()
}

// Cancel tells every step that the caller has given up, and why. The first
// cause stays. A nil cause means context.Canceled. Safe for concurrent use; it
// does not wait for anybody.
func (c *Call) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	c.mu.Lock()
	if c.cancel.err != nil {
		c.mu.Unlock()
		return
	}
	c.cancel.err = cause
	hooks := c.cancel.hooks
	c.cancel.hooks = nil
	if c.cancel.done != nil {
		close(c.cancel.done)
	}
	c.mu.Unlock()
	for _, f := range hooks {
		if f != nil {
			(*f)()
		}
	}
}

// Err returns why the call was canceled, nil if it was not. Safe for concurrent use.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cancel.err
}

// Done is closed when the call is canceled. The channel is made at the first
// use. Safe for concurrent use.
func (c *Call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel.done == nil {
		c.cancel.done = make(chan struct{})
		if c.cancel.err != nil {
			close(c.cancel.done)
		}
	}
	return c.cancel.done
}

// OnCancel has f run when the call is canceled, at once if it has been. stop
// takes f back and reports whether it did so before f was started. f must not
// block. Safe for concurrent use.
func (c *Call) OnCancel(f func()) (stop func() bool) {
	c.mu.Lock()
	if c.cancel.err != nil {
		c.mu.Unlock()
		f()
		return func() bool { return false }
	}
	hook := &f
	c.cancel.hooks = append(c.cancel.hooks, hook)
	c.mu.Unlock()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, h := range c.cancel.hooks {
			if h == hook {
				c.cancel.hooks[i] = c.cancel.hooks[len(c.cancel.hooks)-1]
				c.cancel.hooks = c.cancel.hooks[:len(c.cancel.hooks)-1]
				return true
			}
		}
		return false
	}
}

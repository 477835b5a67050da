package lifttest

import (
	"fmt"
	"io"
	"sync"
)

// output is the test's output while the test runs. After that it discards everything:
// the testing package panics if somebody writes after the test, and handlers may
// outlive their test.
type output struct {
	mu sync.Mutex
	to io.Writer // nil once the test has ended
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to == nil {
		return len(p), nil
	}
	return o.to.Write(p)
}

func (o *output) printf(format string, args ...any) { _, _ = fmt.Fprintf(o, format+"\n", args...) }

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = nil
}

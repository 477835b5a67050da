package main

import (
	"context"
	"os"
	"syscall"
	"time"
)

// oneSignal is how long after the first signal to end a second one is ignored: a
// supervisor may signal the process and its group, one right after the other.
const oneSignal = 200 * time.Millisecond

// end drains. One more signal to end cuts the running calls and ends at once,
// unless it comes within oneSignal of the first.
func (s *stay) end() {
	began, most := s.now().Mono, s.holds.Drain.Max
	notify(os.LookupEnv, stopping)
	s.state.set(func(st *state) { st.draining = true })
	s.log.Info("draining", "max", most.String())
	drain, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.contain("draining")
		s.drain(drain, s.holds.Drain.Quiet, append(s.in, s.parting...))
	}()
	for {
		select {
		case <-done:
			return
		case <-s.ended: // as it should
		case sig := <-s.signals:
			if sig == syscall.SIGHUP || s.now().Mono-began < oneSignal {
				continue
			}
			s.log.Warn("a second signal: running calls are cut", "signal", sig.String())
			cancel()
		}
	}
}

package sidecar

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift/registry"
)

// slowRegistrar takes a second to announce.
type slowRegistrar struct{ announced map[string]bool }

func (s *slowRegistrar) Register(_ context.Context, i registry.Instance) error {
	time.Sleep(time.Second)
	s.announced[i.ID] = true
	return nil
}

func (s *slowRegistrar) Deregister(_ context.Context, id string) error {
	delete(s.announced, id)
	return nil
}

// What is being announced as the sidecar leaves is taken back with the rest.
func TestLeaveWhileAnnouncing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowRegistrar{announced: map[string]bool{}}
		r := newRegistrations(&Config{Registrar: s, Log: slog.New(slog.DiscardHandler)})
		me := registry.Instance{ID: "me", Service: "orders", Addr: "10.0.1.7:80", Check: registry.Check{TCP: "10.0.1.7:80"}}
		done := make(chan error, 1)
		go func() { done <- r.register(t.Context(), me, nil) }()
		synctest.Wait()
		r.leave()
		r.left(t.Context())
		if err := <-done; err != nil || len(s.announced) != 0 {
			t.Errorf("%v; left behind: %v", err, s.announced)
		}
		r.close()
	})
}

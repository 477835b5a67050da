package sidecar

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/liftmesh/lift"
)

// A drain that comes between Listen and Serve ends both in peace.
func TestServeAfterTheWayInIsShut(t *testing.T) {
	s, err := Listen(Config{
		Socket: filepath.Join(t.TempDir(), "lift.sock"),
		Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return nil, lift.Internal }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.shut()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
}

package socket_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift/sidecar/socket"
)

func TestUntil(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		every time.Duration
		end   func(cancel func(), done chan struct{}, failed chan error)
		err   error
		shut  int
		looks int
	}{
		{"its context ends", time.Second, func(cancel func(), _ chan struct{}, _ chan error) { cancel() }, nil, 1, 3},
		{"it was closed", time.Second, func(_ func(), done chan struct{}, _ chan error) { close(done) }, nil, 0, 3},
		{"it failed", time.Second, func(_ func(), _ chan struct{}, failed chan error) { failed <- broken }, broken, 1, 3},
		{"looked after from outside", 0, func(cancel func(), _ chan struct{}, _ chan error) { cancel() }, nil, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				done, failed := make(chan struct{}), make(chan error, 1)
				time.AfterFunc(3500*time.Millisecond, func() { tt.end(cancel, done, failed) })
				shut, looks := 0, 0
				err := socket.Until(ctx, tt.every, func() { looks++ }, func() { shut++ }, done, failed)
				if !errors.Is(err, tt.err) || shut != tt.shut || looks != tt.looks {
					t.Errorf("got %v, shut %d times, looked %d times; want %v, %d, %d", err, shut, looks, tt.err, tt.shut, tt.looks)
				}
			})
		})
	}
}

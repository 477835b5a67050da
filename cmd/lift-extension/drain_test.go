package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/socket"
)

// When a drain takes the clients for done.
func TestLinger(t *testing.T) {
	const ms = time.Millisecond
	call := func(at, d time.Duration) [2]time.Duration { return [2]time.Duration{at, at + d} }
	for _, tt := range []struct {
		name  string
		peers [][2]time.Duration // from, until
		calls [][2]time.Duration
		want  time.Duration
	}{
		{"nobody is there", nil, nil, goneFor},
		{"a client that goes", [][2]time.Duration{{0, 300 * ms}}, nil, 300*ms + goneFor},
		{"a client that stays and is quiet", [][2]time.Duration{{0, time.Hour}}, nil, 2 * time.Second},
		{"a connection for each call", nil, [][2]time.Duration{call(100*ms, ms), call(500*ms, ms), call(900*ms, ms)}, 900*ms + goneFor},
		{"calls on one connection", [][2]time.Duration{{0, time.Hour}}, [][2]time.Duration{call(1500*ms, ms), call(3*time.Second, 4*time.Second)}, 9 * time.Second},
		{"a call that hangs", [][2]time.Duration{{0, time.Hour}}, [][2]time.Duration{call(0, time.Hour)}, 25 * time.Second},
		{"a call that its client left", nil, [][2]time.Duration{call(0, 800*ms)}, 800*ms + goneFor},
		{"a client that calls on and on", [][2]time.Duration{{0, time.Hour}}, [][2]time.Duration{call(time.Second, ms), call(2*time.Second, time.Hour)}, 25 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				traffic := func() (f socket.Traffic) {
					at := time.Since(began)
					for _, p := range tt.peers {
						if p[0] <= at && at < p[1] {
							f.Peers++
						}
					}
					for _, c := range tt.calls {
						if c[0] <= at {
							f.Begun++
							if at < c[1] {
								f.Running++
							}
						}
					}
					return f
				}
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				defer cancel()
				linger(ctx, lift.Now, 2*time.Second, traffic)
				if took := time.Since(began); took < tt.want-lookEvery || took > tt.want+2*lookEvery {
					t.Errorf("it took %s, want %s", took, tt.want)
				}
			})
		})
	}
}

package sidecar_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar"
)

func nobody(*lift.Call) (*lift.Response, error) { return nil, lift.NoEndpoints }

// A sidecar is asked by a unix socket and by TCP; what does not serve, and what
// does not answer, is told apart.
func TestAsk(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "lift.sock")
	cfg := sidecar.Config{Socket: socket, Caller: lift.CallerFunc(nobody)}
	byPath, err := sidecar.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	byTCP, err := sidecar.On(l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for at, s := range map[string]*sidecar.Server{socket: byPath, l.Addr().String(): byTCP} {
		go func() { _ = s.Serve(t.Context()) }()
		if serving, err := sidecar.Ask(t.Context(), at); err != nil || !serving {
			t.Errorf("%s: %v, %v", at, serving, err)
		}
		s.Announce()
		if serving, err := sidecar.Ask(t.Context(), at); err != nil || serving {
			t.Errorf("%s, about to go: %v, %v", at, serving, err)
		}
		s.Close()
		if _, err := sidecar.Ask(t.Context(), at); err == nil || !strings.Contains(err.Error(), "no sidecar answers at "+at) {
			t.Errorf("%s, gone: %v", at, err)
		}
	}

	full, err := sidecar.Listen(sidecar.Config{Socket: socket, Caller: lift.CallerFunc(nobody), Limits: sidecar.Limits{MaxPeers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = full.Serve(t.Context()) }()
	defer full.Close()
	first, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for full.Traffic().Peers == 0 {
		runtime.Gosched() // until it has come in
	}
	if serving, err := sidecar.Ask(t.Context(), socket); err != nil || serving {
		t.Errorf("a full one: %v, %v", serving, err)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := sidecar.Ask(ctx, silent.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent one: %v", err)
	}
}

package sidecar_test

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	inner "github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/sidecar"
)

// TestThousandPeers has 1,000 programs come at once: as many as the limit are
// served, the others are told, and no more descriptors are open than that takes.
func TestThousandPeers(t *testing.T) {
	const limit = 50
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{Limits: sidecar.Limits{MaxPeers: limit}})
	var served, busy, other atomic.Int32
	var most atomic.Int64
	var all, asked sync.WaitGroup
	release := make(chan struct{})
	gate := make(chan struct{}, 100) // so many connect at once: the test's own descriptors are limited too
	for range 1000 {
		all.Add(1)
		asked.Add(1)
		go func() {
			defer all.Done()
			gate <- struct{}{}
			cl, err := inner.Dial(socket, inner.Options{ConnectLimit: 20 * time.Second})
			if err != nil {
				t.Error(err)
			}
			_, err = cl.Call(&lift.Call{Service: "orders"})
			if n := descriptors(); n > most.Load() {
				most.Store(n)
			}
			switch {
			case err == nil:
				served.Add(1)
				<-gate
				asked.Done()
				<-release
			case lift.CodeOf(err) == lift.Busy && strings.Contains(err.Error(), "limit of 50 connections"):
				busy.Add(1)
				_ = cl.Close()
				<-gate
				asked.Done()
				return
			default:
				other.Add(1)
				t.Logf("%v", err)
				<-gate
				asked.Done()
			}
			_ = cl.Close()
		}()
	}
	asked.Wait()
	close(release)
	all.Wait()
	if served.Load() < 1 || served.Load() > limit || busy.Load() != 1000-served.Load() || other.Load() != 0 {
		t.Errorf("%d served, %d told busy, %d else", served.Load(), busy.Load(), other.Load())
	}
	t.Logf("%d served, %d refused, at most %d descriptors for both ends", served.Load(), busy.Load(), most.Load())
}

func descriptors() int64 {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return int64(len(names))
}

// TestPlacesComeBack has a peer leave: the next is served.
func TestPlacesComeBack(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{Limits: sidecar.Limits{MaxPeers: 1}})
	first := connect(t, socket)
	greeted(t, first)
	r := session(t, connect(t, socket))
	r.send(hello())
	if _, err := r.next(); status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("a second peer: %v", err)
	}
	_ = first.Close()
	deadline := time.Now().Add(10 * time.Second)
	for { // until the sidecar has read that the first is gone
		cl, _ := inner.Dial(socket, inner.Options{})
		_, err := cl.Call(&lift.Call{Service: "orders"})
		_ = cl.Close()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestMutePeer says nothing and loses its place.
func TestMutePeer(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{Limits: sidecar.Limits{HelloWithin: 100 * time.Millisecond}})
	r := session(t, connect(t, socket)) // HTTP/2, but no Hello
	if _, err := r.next(); status.Code(err) != codes.Unavailable {
		t.Errorf("a session without Hello: %v", err)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
		t.Errorf("a mute connection: %v", err)
	}
}

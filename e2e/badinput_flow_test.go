//go:build e2e && linux

package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sdk"
)

// flood is an upstream whose answers are large: /N is N MiB, of unknown length.
type flood struct {
	*httptest.Server
	running atomic.Int64
}

func startFlood(t *testing.T) *flood {
	t.Helper()
	f := &flood{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.running.Add(1)
		defer f.running.Add(-1)
		var mib int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &mib)
		_ = http.NewResponseController(w).Flush()
		for block := make([]byte, 1<<20); mib > 0; mib-- {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *flood) addr() string { return f.Listener.Addr().String() }

// unreadAnswer: some large answers lie unread in a session, and calls go on in it.
func unreadAnswer(t *testing.T, client *sdk.Client, f *flood) {
	var unread []io.Closer
	for range 8 {
		resp, err := client.HTTPClient().Get("http://flood/200")
		if err != nil {
			t.Fatal(err)
		}
		unread = append(unread, resp.Body)
	}
	for range 50 {
		mustCall(t, client)
	}
	if n := f.running.Load(); n != 8 {
		t.Errorf("%d large answers wait for their reader, want 8", n)
	}
	for _, body := range unread {
		_ = body.Close()
	}
	waitFor(t, "the upstream hears that nobody reads", func() bool { return f.running.Load() == 0 })
}

// deafPeer asks for a lot in one session and reads nothing of it, while it grants
// as much credit as there can be.
func deafPeer(t *testing.T, s *sidecarProcess, client *sdk.Client) {
	conn := s.plainClient(t)
	defer conn.Close()
	before := s.resident(t)
	stream, err := liftv1.NewLiftClient(conn).Session(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	greeting := hello(0, 0)
	greeting.GetFrames()[0].GetHello().Window = 16 << 20
	if err := stream.Send(greeting); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for id := uint64(1); id <= 5000; id++ {
			service, path := "flood", "/200"
			if id%2 == 0 {
				service, path = "ordres", "/" // an answer that costs the sidecar nothing to make
			}
			if stream.Send(clientFrames(callFrame(id, service, path))) != nil {
				return
			}
		}
	}()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		mustCall(t, client)
	}
	if grown := s.resident(t) - before; grown > memoryLeft {
		t.Errorf("the sidecar has grown by %d MiB while a peer does not read", grown>>20)
	}
	_ = conn.Close()
	<-sent
}

// vanishingPeer: sessions break with calls out.
func vanishingPeer(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
	for range wrongs {
		conn := s.plainClient(t)
		stream, err := liftv1.NewLiftClient(conn).Session(within(t, patience))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(hello(0, 0))
		_ = stream.Send(clientFrames(callFrame(1, "flood", "/200"), callFrame(2, "orders", "/")))
		if _, err := stream.Recv(); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
}

// thousandPeers come at once and stay: up to the limit they are served, the rest
// is told why not, and whoever was there before notices nothing.
func thousandPeers(t *testing.T, s *sidecarProcess, client *sdk.Client) {
	const peers = 1000
	var served, refused, late atomic.Int64
	var work sync.WaitGroup
	clients := make([]*sdk.Client, peers)
	// As many knock at a time as an SDK's patience of a second is good for on a
	// machine with other things to do; who has been let in stays.
	knocking := make(chan struct{}, 64)
	for i := range clients {
		c, err := sdk.Dial(s.socket)
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = c
		work.Go(func() {
			knocking <- struct{}{}
			defer func() { <-knocking }()
			switch _, err := sdk.Get[answer](within(t, patience), c, "orders", "/"); {
			case err == nil:
				served.Add(1)
			case errors.Is(err, lift.Busy) && strings.Contains(err.Error(), "256 connections"):
				refused.Add(1)
			case errors.Is(err, lift.NoSidecar) && strings.Contains(err.Error(), "too many programs connect at once"):
				late.Add(1) // the machine was too busy for the SDK's second; the error says so
			default:
				t.Errorf("a peer got %v", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	for waiting := true; waiting; {
		mustCall(t, client)
		select {
		case <-done:
			waiting = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Logf("%d served, %d refused, %d too late", served.Load(), refused.Load(), late.Load())
	if n := served.Load(); n > 255 || n < 200 {
		t.Errorf("%d peers were served beside the one that was there; the limit is 256", n)
	}
	if n := refused.Load(); n < peers/2 {
		t.Errorf("%d peers were told that the sidecar is busy; most should be", n)
	}
	for _, c := range clients {
		work.Go(func() { _ = c.Close() })
	}
	work.Wait()
}

package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/liftmesh/lift"
)

// inBubble is a door without sockets, for tests of time.
func inBubble(t *testing.T, caller lift.Caller) (s *Server, dial func() net.Conn) {
	t.Helper()
	cfg := Config{Caller: caller, Addresses: []Address{{Network: "tcp", Addr: "127.0.0.1:0"}}}
	if err := cfg.fill(); err != nil {
		t.Fatal(err)
	}
	s = newServer(cfg)
	pipes := newHandover()
	s.serveHTTP2()
	s.listeners.Go(func() { _ = s.http.Serve(s.wrap(pipes, "")) })
	t.Cleanup(s.Close)
	return s, func() net.Conn {
		near, far := net.Pipe()
		pipes.give(far)
		t.Cleanup(func() { _ = near.Close() })
		return near
	}
}

func always(status int) lift.Caller {
	return lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return &lift.Response{Status: status}, nil })
}

// Peers that were frozen together with the door find it as they left it, however
// long that was, and whatever they were about to say.
func TestSilentPeersAreNotHungUpOn(t *testing.T) {
	const year = 365 * 24 * time.Hour
	t.Run("HTTP/1.1", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, dial := inBubble(t, always(204))
			c := dial()
			for _, piece := range []string{"GET / HT", "TP/1.1\r\nHos", "t: orders\r\n\r\n", "GET / HTTP/1.1\r\nHost: orders\r\n", "\r\n"} {
				time.Sleep(year)
				if _, err := io.WriteString(c, piece); err != nil {
					t.Fatalf("%q: %v", piece, err)
				}
				if piece != "\r\n" && piece != "t: orders\r\n\r\n" {
					continue
				}
				buf := make([]byte, 256)
				if n, err := c.Read(buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 204")) {
					t.Fatalf("%q, %v", buf[:n], err)
				}
			}
		})
	})
	t.Run("HTTP/2", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, dial := inBubble(t, always(204))
			c := dial()
			got := make(chan string, 100)
			go func() {
				defer close(got)
				fr := http2.NewFramer(io.Discard, c)
				for {
					f, err := fr.ReadFrame()
					if err != nil {
						return
					}
					got <- f.Header().Type.String()
				}
			}()
			var settings, request bytes.Buffer
			fr := http2.NewFramer(&settings, nil)
			_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			pieces := []string{"PRI * HT", "TP/2.0\r\n\r\nSM", "\r\n\r\n", settings.String()[:7], settings.String()[7:]}
			for id := uint32(1); id < 7; id += 2 {
				var block bytes.Buffer
				e := hpack.NewEncoder(&block)
				for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "orders"}, {Name: ":path", Value: "/"}} {
					_ = e.WriteField(f)
				}
				request.Reset()
				_ = http2.NewFramer(&request, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: block.Bytes()})
				pieces = append(pieces, request.String())
			}
			for i, piece := range pieces {
				time.Sleep(year)
				if _, err := io.WriteString(c, piece); err != nil {
					t.Fatalf("piece %d: %v", i, err)
				}
			}
			synctest.Wait()
			_ = c.Close()
			answers := 0
			for kind := range got {
				switch kind {
				case "HEADERS":
					answers++
				case "PING", "GOAWAY":
					t.Errorf("the door said %s", kind)
				}
			}
			if answers != 3 {
				t.Errorf("%d answers, want 3", answers)
			}
		})
	})
}

// A peer that says nothing more within HTTP/2's preface is let go with the door.
func TestDrainWithinThePreface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dial := inBubble(t, always(204))
		c := dial()
		if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// Whatever a peer says, the door lives, and the peer's connection ends with it or
// its answers do.
func FuzzPeer(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: orders\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	f.Add([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x05\x01\x05\x00\x00\x00\x01\x82\x86\x84\x41\x00"))
	f.Add([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: orders\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"))
	f.Add([]byte("CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\nGET / HTTP/1.1\r\nHost: orders\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		cfg := Config{Addresses: []Address{{Network: "tcp", Addr: "127.0.0.1:0"}}, Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			content, err := c.Body.ReadAll(0)
			if err != nil {
				return nil, err
			}
			return &lift.Response{Status: 200, Body: lift.BytesBody(content)}, nil
		})}
		if err := cfg.fill(); err != nil {
			t.Fatal(err)
		}
		s := newServer(cfg)
		pipes := newHandover()
		s.serveHTTP2()
		s.listeners.Go(func() { _ = s.http.Serve(s.wrap(pipes, "")) })
		near, far := net.Pipe()
		pipes.give(far)
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, near)
		}()
		_ = near.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = near.Write(said) // the door may hang up within
		_ = near.Close()
		<-read
		// The next peer is served.
		near, far = net.Pipe()
		pipes.give(far)
		go func() { _, _ = io.WriteString(near, "GET / HTTP/1.1\r\nHost: orders\r\n\r\n") }()
		_ = near.SetReadDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 64)
		if n, err := near.Read(buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) {
			t.Errorf("the next peer: %q, %v", buf[:n], err)
		}
		_ = near.Close()
		s.Close()
	})
}

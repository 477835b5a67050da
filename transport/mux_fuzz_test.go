package transport_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// frames are what write writes.
func frames(write func(fr *http2.Framer, head func(fields ...string) []byte)) []byte {
	var out, block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	write(http2.NewFramer(&out, nil), func(fields ...string) []byte {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return bytes.Clone(block.Bytes())
	})
	return out.Bytes()
}

// FuzzMuxAnswer has a peer send any bytes, as its first or after its settings: a call
// ends by its deadline with a response or an error of the right kind, and nothing is
// left of it.
func FuzzMuxAnswer(f *testing.F) {
	type heads = func(fields ...string) []byte
	for _, write := range []func(fr *http2.Framer, head heads){
		func(fr *http2.Framer, head heads) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head(":status", "200", "content-length", "5"), EndHeaders: true})
			_ = fr.WriteData(1, true, []byte("hello"))
		},
		func(fr *http2.Framer, head heads) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head(":status", "200", "content-type", "application/grpc"), EndHeaders: true})
			_ = fr.WriteData(1, false, []byte(oneMessage))
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head("grpc-status", "0"), EndHeaders: true, EndStream: true})
		},
		func(fr *http2.Framer, _ heads) { _ = fr.WriteGoAway(0, http2.ErrCodeNo, nil) },
		func(fr *http2.Framer, _ heads) { _ = fr.WriteRSTStream(1, http2.ErrCodeRefusedStream) },
		func(fr *http2.Framer, _ heads) {
			_ = fr.WritePing(false, [8]byte{})
			_ = fr.WriteWindowUpdate(0, 1<<31-1)
		},
		func(fr *http2.Framer, _ heads) {
			_ = fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		},
		func(fr *http2.Framer, head heads) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head(":status", "103")[:1]})
			_ = fr.WriteContinuation(1, true, nil)
		},
	} {
		b := frames(write)
		f.Add(b, true, true, uint8(0))
		f.Add(b, true, false, uint8(1))
		f.Add(b, false, true, uint8(2))
	}
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false, false, uint8(3))
	settings := frames(func(fr *http2.Framer, _ heads) { _ = fr.WriteSettings() })
	f.Fuzz(func(t *testing.T, answer []byte, settled, hangUp bool, kind uint8) {
		synctest.Test(t, func(t *testing.T) {
			dial := func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					go func() {
						if settled {
							_, _ = theirs.Write(settings)
							time.Sleep(time.Millisecond) // a call goes out
						}
						_, _ = theirs.Write(answer)
						if hangUp {
							_ = theirs.Close()
						}
					}()
					_, _ = io.Copy(io.Discard, theirs)
				}()
				return ours, nil
			}
			clock := newClock()
			m := transport.NewMux("orders.test:80", transport.Options{Dial: dial, Now: clock.now})
			for range 2 { // the second on what the first left behind
				began := time.Now()
				c := aCall(clock, []string{"GET", "POST", "HEAD", "PUT"}[kind%4], lift.BytesBody([]byte("x")))
				if kind&4 != 0 {
					c.Header = []lift.Field{{Name: "Content-Type", Value: "application/grpc"}}
				}
				resp, err := m.RoundTrip(c)
				if err == nil {
					_, err = resp.Body.ReadAll(0)
					if resp.Status < 200 {
						t.Errorf("status %d", resp.Status)
					}
				}
				switch lift.CodeOf(err) {
				case lift.Unavailable, lift.BadResponse, lift.AttemptTimeout, lift.DeadlineExceeded, lift.TooLarge:
				default:
					if err != nil {
						t.Errorf("an error of the wrong kind: %v", err)
					}
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("took %s", took)
				}
				c.End()
			}
			time.Sleep(time.Second)
			if s := m.Stats(); s.InUse != 0 {
				t.Errorf("left: %+v", s)
			}
			m.Close()
			synctest.Wait()
			if s := m.Stats(); s.Open != 0 {
				t.Errorf("left: %+v", s)
			}
		})
	})
}

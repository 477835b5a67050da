package plain_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

// A peer that floods the door is ended or bounded: what it holds stays small, and
// its neighbor is served throughout.
func TestFloods(t *testing.T) {
	const (
		end, whole = http2.Flags(1), http2.Flags(4)
		cancel     = "\x00\x00\x00\x08"
		most       = 32 << 20 // of memory that one peer may hold, and what the test itself takes
	)
	number := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	for _, tt := range []struct {
		name string
		// read: the peer takes what the door says.
		read bool
		// ended: the door ends the connection.
		ended bool
		do    func(f *framed, frame func(kind http2.FrameType, flags http2.Flags, stream uint32, payload string) bool)
	}{
		{"resets as soon as asked", true, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for id := uint32(1); id < 40_000; id += 2 {
				if !frame(http2.FrameHeaders, whole|end, id, string(f.fields(asks("GET", "/held")...))) || !frame(http2.FrameRSTStream, 0, id, cancel) {
					return
				}
			}
		}},
		{"resets behind content", true, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			content := strings.Repeat("a", 16<<10)
			for id := uint32(1); id < 4_000; id += 2 {
				if !frame(http2.FrameHeaders, whole, id, string(f.fields(asks("POST", "/held")...))) || !frame(http2.FrameData, 0, id, content) || !frame(http2.FrameRSTStream, 0, id, cancel) {
					return
				}
			}
		}},
		{"requests beyond the streams", false, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for id := uint32(1); id < 80_000; id += 2 {
				if !frame(http2.FrameHeaders, whole|end, id, string(f.fields(asks("GET", "/held")...))) {
					return
				}
			}
		}},
		{"a header without end", true, true, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			frame(http2.FrameHeaders, end, 1, string(f.fields(asks("GET", "/")...)))
			for i := range 100_000 {
				if !frame(http2.FrameContinuation, 0, 1, string(f.fields("x-"+strings.Repeat("a", i%50), strings.Repeat("b", 1000)))) {
					return
				}
			}
		}},
		// It costs the peer what it costs the door, and holds nothing.
		{"a header without end and content", true, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			frame(http2.FrameHeaders, end, 1, "")
			for range 200_000 {
				if !frame(http2.FrameContinuation, 0, 1, "") {
					return
				}
			}
		}},
		{"a header that says one thing over and over", true, true, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			first := f.fields(asks("GET", "/", "x-a", strings.Repeat("b", 3000))...)
			again := strings.Repeat("\xbe", 16<<10) // the entry that was made last, 16,384 times
			frame(http2.FrameHeaders, end, 1, string(first))
			for range 1000 {
				if !frame(http2.FrameContinuation, 0, 1, again) {
					return
				}
			}
		}},
		{"settings", false, false, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for range 200_000 {
				if !frame(http2.FrameSettings, 0, 0, "\x00\x03\x00\x00\x00\x64") {
					return
				}
			}
		}},
		{"a frame of many settings", true, true, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for range 1000 {
				if !frame(http2.FrameSettings, 0, 0, strings.Repeat("\x00\x03\x00\x00\x00\x64", 2000)) {
					return
				}
			}
		}},
		{"pings whose answers are not read", false, true, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for range 2_000_000 {
				if !frame(http2.FramePing, 0, 0, "12345678") {
					return
				}
			}
		}},
		{"empty headers whose resets are not read", false, true, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for id := uint32(1); id < 4_000_000; id += 2 {
				if !frame(http2.FrameHeaders, whole, id, "") {
					return
				}
			}
		}},
		{"empty content", true, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			frame(http2.FrameHeaders, whole, 1, string(f.fields(asks("POST", "/held")...)))
			for range 200_000 {
				if !frame(http2.FrameData, 0, 1, "") {
					return
				}
			}
		}},
		{"padding alone", true, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			frame(http2.FrameHeaders, whole, 1, string(f.fields(asks("POST", "/held")...)))
			for range 20_000 {
				if !frame(http2.FrameData, 8, 1, "\xff"+strings.Repeat("\x00", 255)) {
					return
				}
			}
		}},
		{"windows by the byte", true, true, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for range 100_000 {
				if !frame(http2.FrameWindowUpdate, 0, 0, number(1)) {
					return
				}
			}
			frame(http2.FrameWindowUpdate, 0, 0, number(1<<31-1))
		}},
		{"priorities of streams that never come", true, false, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for id := uint32(1); id < 400_000; id += 2 {
				if !frame(http2.FramePriority, 0, id, number(id+2)+"\x10") {
					return
				}
			}
		}},
		{"unknown frames", true, false, func(_ *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for range 20_000 {
				if !frame(0x77, 0xff, 9, strings.Repeat("a", 4096)) {
					return
				}
			}
		}},
		{"large answers that are not read", false, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			for id := uint32(1); id < 500; id += 2 {
				if !frame(http2.FrameHeaders, whole|end, id, string(f.fields(asks("GET", "/large")...))) {
					return
				}
			}
		}},
		{"large answers for windows of nothing", true, false, func(f *framed, frame func(http2.FrameType, http2.Flags, uint32, string) bool) {
			frame(http2.FrameSettings, 0, 0, "\x00\x04\x00\x00\x00\x00")
			for id := uint32(1); id < 500; id += 2 {
				if !frame(http2.FrameHeaders, whole|end, id, string(f.fields(asks("GET", "/large")...))) {
					return
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var running, peak atomic.Int64
			addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				switch c.Path {
				case "/held":
					peak.Store(max(peak.Load(), running.Add(1)))
					defer running.Add(-1)
					<-c.Done()
					return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
				case "/large":
					return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(&pattern{}), -1, 0)}, nil
				}
				return tell(c)
			})})
			neighbor, f := frames(t, addr), frames(t, addr)
			before := heap()
			hungUp := make(chan struct{})
			if tt.read {
				go func() {
					defer close(hungUp)
					_, _ = io.Copy(io.Discard, f.Conn)
				}()
			}
			var out bytes.Buffer
			fr := http2.NewFramer(&out, nil)
			fr.AllowIllegalWrites = true
			sent := 0
			if !tt.ended {
				_ = f.SetWriteDeadline(time.Now().Add(2 * time.Second)) // who is not read waits
			}
			tt.do(f, func(kind http2.FrameType, flags http2.Flags, stream uint32, payload string) bool {
				_ = fr.WriteRawFrame(kind, flags, stream, []byte(payload))
				sent++
				if out.Len() < 64<<10 && sent > 2 {
					return true
				}
				_, err := f.Write(out.Bytes())
				out.Reset()
				return err == nil
			})
			_, err := f.Write(out.Bytes())
			if tt.read {
				if tt.ended {
					within(t, "the end of the connection", hungUp)
				}
			} else if ended := err != nil && !strings.Contains(err.Error(), "timeout"); ended != tt.ended {
				t.Errorf("the connection ended: %v, %v", ended, err)
			}
			neighbor.works(1)
			if n := peak.Load(); n > 250 {
				t.Errorf("%d calls at a time", n)
			}
			if grew := heap() - before; grew > most {
				t.Errorf("%d MiB are held after %d frames", grew>>20, sent)
			}
			_ = f.Conn.Close()
			neighbor.works(3)
		})
	}
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // small
}

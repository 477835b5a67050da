package plain_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

// What RFC 9113 says of frames, by its sections: what breaks the connection, what
// breaks a stream, and what is passed over.
func TestFrames(t *testing.T) {
	const (
		data, headers, priority, rst, settings, push, ping, goaway, window, continuation = http2.FrameData, http2.FrameHeaders, http2.FramePriority,
			http2.FrameRSTStream, http2.FrameSettings, http2.FramePushPromise, http2.FramePing, http2.FrameGoAway, http2.FrameWindowUpdate, http2.FrameContinuation
		end, whole, ack, padded = http2.Flags(1), http2.Flags(4), http2.Flags(1), http2.Flags(8)
	)
	held := asks("POST", "/echo") // answered once it has ended
	for _, tt := range []struct {
		name string
		do   func(f *framed)
		want string // "", or "goaway CODE" or "reset CODE" of stream 1, or "closed"; alternatives by |
	}{
		{"4.1 an unknown frame is passed over", func(f *framed) { f.raw(0x99, 0xff, 0, "x"); f.raw(0x99, 0, 1, "x") }, ""},
		{"4.1 unknown flags are passed over", func(f *framed) { f.raw(ping, 0xfe, 0, "12345678") }, ""},
		{"4.1 the reserved bit is passed over", func(f *framed) { f.raw(ping, 0, 1<<31, "12345678") }, ""},
		{"4.2 a frame over the limit", func(f *framed) { f.ask(1, false, held...); f.raw(data, 0, 1, strings.Repeat("a", 2<<20)) }, "goaway FRAME_SIZE_ERROR|closed"},
		{"4.3 a header block that cannot be read", func(f *framed) { f.raw(headers, end|whole, 1, "\xff\xff\xff\xff") }, "goaway COMPRESSION_ERROR"},
		{"4.3 a header block with another frame within", func(f *framed) { f.raw(headers, end, 1, ""); f.raw(ping, 0, 0, "12345678") }, "goaway PROTOCOL_ERROR"},

		{"5.1 DATA on an idle stream", func(f *framed) { f.raw(data, end, 1, "x") }, "goaway PROTOCOL_ERROR"},
		{"5.1 RST_STREAM on an idle stream", func(f *framed) { f.raw(rst, 0, 1, "\x00\x00\x00\x08") }, "goaway PROTOCOL_ERROR"},
		{"5.1 WINDOW_UPDATE on an idle stream", func(f *framed) { f.raw(window, 0, 1, "\x00\x00\x00\x08") }, "goaway PROTOCOL_ERROR"},
		{"5.1 CONTINUATION on an idle stream", func(f *framed) { f.raw(continuation, whole, 1, "x") }, "goaway PROTOCOL_ERROR"},
		{"5.1 DATA behind the end", func(f *framed) { f.ask(1, true, asks("POST", "/held")...); f.raw(data, 0, 1, "x") }, "reset STREAM_CLOSED"},
		{"5.1 HEADERS behind the end", func(f *framed) { f.ask(1, true, asks("POST", "/held")...); f.ask(1, true, held...) }, "reset STREAM_CLOSED|goaway STREAM_CLOSED"},
		{"5.1 DATA behind a reset", func(f *framed) {
			f.ask(1, false, held...)
			f.raw(rst, 0, 1, "\x00\x00\x00\x08")
			f.raw(data, 0, 1, "x")
		}, "reset STREAM_CLOSED|goaway STREAM_CLOSED"},
		{"5.1 HEADERS behind a reset", func(f *framed) {
			f.ask(1, false, held...)
			f.raw(rst, 0, 1, "\x00\x00\x00\x08")
			f.ask(1, true, held...)
		}, "goaway PROTOCOL_ERROR|goaway STREAM_CLOSED"},
		{"5.1.1 an even stream", func(f *framed) { f.ask(2, true, held...) }, "goaway PROTOCOL_ERROR"},
		{"5.1.1 a stream that goes down", func(f *framed) { f.ask(5, true, held...); f.ask(1, true, held...) }, "goaway PROTOCOL_ERROR"},

		{"6.1 DATA on the connection", func(f *framed) { f.raw(data, end, 0, "x") }, "goaway PROTOCOL_ERROR"},
		{"6.1 padding as long as the frame", func(f *framed) { f.ask(1, false, held...); f.raw(data, padded, 1, "\x05aaaa") }, "goaway PROTOCOL_ERROR"},
		{"6.1 padding is no content", func(f *framed) { f.ask(1, false, held...); f.raw(data, padded|end, 1, "\x03a\x00\x00\x00") }, ""},
		{"6.2 HEADERS on the connection", func(f *framed) { f.raw(headers, end|whole, 0, "\x82") }, "goaway PROTOCOL_ERROR"},
		// The RFC wants the connection ended; net/http ends the stream.
		{"6.2 padding as long as the frame", func(f *framed) { f.raw(headers, end|whole|padded, 1, "\x05aaaa") }, "goaway PROTOCOL_ERROR|reset PROTOCOL_ERROR"},
		{"6.2 a second header that does not end", func(f *framed) { f.ask(1, false, held...); f.ask(1, false, "x-a", "b") }, "reset PROTOCOL_ERROR"},
		{"6.3 PRIORITY on the connection", func(f *framed) { f.raw(priority, 0, 0, "\x00\x00\x00\x00\x01") }, "goaway PROTOCOL_ERROR"},
		{"6.3 PRIORITY of another length", func(f *framed) { f.ask(1, false, held...); f.raw(priority, 0, 1, "\x00\x00") }, "reset FRAME_SIZE_ERROR|goaway FRAME_SIZE_ERROR"},
		{"6.3 PRIORITY that goes in a circle", func(f *framed) { f.ask(1, false, held...); f.raw(priority, 0, 1, "\x00\x00\x00\x01\x01") }, "reset PROTOCOL_ERROR|"},
		{"6.3 PRIORITY is passed over", func(f *framed) { f.raw(priority, 0, 1, "\x80\x00\x00\x03\x10"); f.ask(1, true, held...) }, ""},
		{"6.4 RST_STREAM on the connection", func(f *framed) { f.raw(rst, 0, 0, "\x00\x00\x00\x08") }, "goaway PROTOCOL_ERROR"},
		{"6.4 RST_STREAM of another length", func(f *framed) { f.ask(1, false, held...); f.raw(rst, 0, 1, "\x00\x00\x08") }, "goaway FRAME_SIZE_ERROR"},
		{"6.5 SETTINGS on a stream", func(f *framed) { f.raw(settings, 0, 1, "") }, "goaway PROTOCOL_ERROR"},
		{"6.5 SETTINGS of a broken length", func(f *framed) { f.raw(settings, 0, 0, "\x00\x03\x00") }, "goaway FRAME_SIZE_ERROR"},
		{"6.5 an ACK with content", func(f *framed) { f.raw(settings, ack, 0, "\x00\x00\x00\x00\x00\x00") }, "goaway FRAME_SIZE_ERROR"},
		{"6.5 an ACK of nothing", func(f *framed) { f.raw(settings, ack, 0, "") }, "goaway PROTOCOL_ERROR"},
		{"6.5.2 ENABLE_PUSH of 2", func(f *framed) { f.must(f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 2})) }, "goaway PROTOCOL_ERROR"},
		{"6.5.2 a window beyond the largest", func(f *framed) {
			f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}))
		}, "goaway FLOW_CONTROL_ERROR"},
		{"6.5.2 a frame size below the smallest", func(f *framed) { f.must(f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16383})) }, "goaway PROTOCOL_ERROR"},
		{"6.5.2 a frame size beyond the largest", func(f *framed) {
			f.must(f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 24}))
		}, "goaway PROTOCOL_ERROR"},
		{"6.5.2 an unknown setting is passed over", func(f *framed) { f.must(f.WriteSettings(http2.Setting{ID: 0x99, Val: 7})) }, ""},
		{"6.6 a client that promises", func(f *framed) { f.ask(1, false, held...); f.raw(push, whole, 1, "\x00\x00\x00\x02\x82") }, "goaway PROTOCOL_ERROR"},
		{"6.7 PING on a stream", func(f *framed) { f.raw(ping, 0, 1, "12345678") }, "goaway PROTOCOL_ERROR"},
		{"6.7 PING of another length", func(f *framed) { f.raw(ping, 0, 0, "1234567") }, "goaway FRAME_SIZE_ERROR"},
		{"6.7 an answer to no PING is passed over", func(f *framed) { f.raw(ping, ack, 0, "12345678") }, ""},
		{"6.8 GOAWAY on a stream", func(f *framed) { f.raw(goaway, 0, 1, "\x00\x00\x00\x00\x00\x00\x00\x00") }, "goaway PROTOCOL_ERROR"},
		{"6.8 GOAWAY that is too short", func(f *framed) { f.raw(goaway, 0, 0, "\x00\x00\x00\x00") }, "goaway FRAME_SIZE_ERROR"},
		{"6.9 WINDOW_UPDATE of nothing", func(f *framed) { f.raw(window, 0, 0, "\x00\x00\x00\x00") }, "goaway PROTOCOL_ERROR"},
		{"6.9 WINDOW_UPDATE of nothing on a stream", func(f *framed) { f.ask(1, false, held...); f.raw(window, 0, 1, "\x00\x00\x00\x00") }, "reset PROTOCOL_ERROR"},
		{"6.9 WINDOW_UPDATE of another length", func(f *framed) { f.raw(window, 0, 0, "\x00\x00\x01") }, "goaway FRAME_SIZE_ERROR"},
		{"6.9.1 a window past the largest", func(f *framed) { f.raw(window, 0, 0, "\x7f\xff\xff\xff") }, "goaway FLOW_CONTROL_ERROR"},
		{"6.9.1 a stream's window past the largest", func(f *framed) { f.ask(1, false, held...); f.raw(window, 0, 1, "\x7f\xff\xff\xff") }, "reset FLOW_CONTROL_ERROR"},
		{"6.9.2 a smaller window makes one negative", func(f *framed) { f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5})) }, ""},
		{"6.10 CONTINUATION behind a header that has ended", func(f *framed) { f.ask(1, false, held...); f.raw(continuation, whole, 1, "x") }, "goaway PROTOCOL_ERROR"},
		{"6.10 CONTINUATION of another stream", func(f *framed) { f.raw(headers, end, 1, ""); f.raw(continuation, whole, 3, "x") }, "goaway PROTOCOL_ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				if c.Path == "/held" {
					<-c.Done()
					return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
				}
				content, err := c.Body.ReadAll(0)
				return &lift.Response{Status: 200, Body: lift.BytesBody(content)}, err
			})})
			other := frames(t, addr)
			f := frames(t, addr)
			tt.do(f)
			if tt.want == "" {
				f.works(7)
			} else {
				r := f.replyTo(1)
				got := ""
				switch {
				case r.gone != nil:
					got = "goaway " + r.gone.String()
				case r.reset != nil:
					got = "reset " + r.reset.String()
					f.works(7)
				case r.closed:
					got = "closed"
				}
				if !strings.Contains("|"+tt.want+"|", "|"+got+"|") {
					t.Errorf("got %v, want %s", r, tt.want)
				}
			}
			other.works(1)
		})
	}
}

// raw sends a frame as told, and lets the door hang up within.
func (f *framed) raw(kind http2.FrameType, flags http2.Flags, stream uint32, payload string) {
	_ = f.WriteRawFrame(kind, flags, stream, []byte(payload))
}

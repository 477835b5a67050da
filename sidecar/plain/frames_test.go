package plain_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed is a connection that speaks HTTP/2 frame by frame, as told.
type framed struct {
	net.Conn
	*http2.Framer
	t       *testing.T
	encoder *hpack.Encoder
	block   bytes.Buffer
	// settings are what the door said of itself.
	settings map[http2.SettingID]uint32
	window   int64 // of the connection, for what is sent
}

// frames opens a connection that has said and heard the settings.
func frames(t *testing.T, addr string, settings ...http2.Setting) *framed {
	t.Helper()
	c := dial(t, addr)
	f := &framed{Conn: c.Conn, Framer: http2.NewFramer(c.Conn, c.r), t: t, settings: map[http2.SettingID]uint32{}, window: 65535}
	f.encoder = hpack.NewEncoder(&f.block)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.AllowIllegalWrites = true
	c.say(http2.ClientPreface)
	f.must(f.WriteSettings(settings...))
	for {
		switch fr := f.next().(type) {
		case *http2.SettingsFrame:
			if fr.IsAck() {
				return f
			}
			_ = fr.ForeachSetting(func(s http2.Setting) error {
				f.settings[s.ID] = s.Val
				return nil
			})
			f.must(f.WriteSettingsAck())
		case *http2.WindowUpdateFrame:
		default:
			t.Fatalf("before any request: %v", fr)
		}
	}
}

func (f *framed) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// next reads one frame.
func (f *framed) next() http2.Frame {
	f.t.Helper()
	fr, err := f.ReadFrame()
	if err != nil {
		f.t.Fatal(err)
	}
	if u, ok := fr.(*http2.WindowUpdateFrame); ok && u.StreamID == 0 {
		f.window += int64(u.Increment)
	}
	return fr
}

// fields encodes name and value in turn.
func (f *framed) fields(pairs ...string) []byte {
	f.block.Reset()
	for i := 0; i+1 < len(pairs); i += 2 {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(f.block.Bytes())
}

// asks are the fields of a sound request.
func asks(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "http", ":authority", "orders", ":path", path}, more...)
}

// ask sends a request's head.
func (f *framed) ask(stream uint32, end bool, pairs ...string) {
	f.t.Helper()
	f.must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndStream: end, EndHeaders: true, BlockFragment: f.fields(pairs...)}))
}

// reply is what came on a stream.
type reply struct {
	status  string
	header  http.Header
	trailer http.Header
	body    string
	reset   *http2.ErrCode
	// gone is the code of a GOAWAY that came instead, and closed is set where the
	// connection ended.
	gone   *http2.ErrCode
	closed bool
	// leaving: a GOAWAY without a fault came by the way.
	leaving bool
}

func (r reply) String() string {
	s := fmt.Sprintf("%s %v %q %v", r.status, r.header, r.body, r.trailer)
	if r.reset != nil {
		s += " reset " + r.reset.String()
	}
	if r.gone != nil {
		s += " goaway " + r.gone.String()
	}
	if r.closed {
		s += " closed"
	}
	return s
}

// replyTo reads until a stream has ended, and passes over all others. What has
// been read of bodies is not given back.
func (f *framed) replyTo(stream uint32) (r reply) {
	f.t.Helper()
	for {
		fr, err := f.ReadFrame()
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			f.t.Fatalf("no answer on %d: %v", stream, r)
		}
		if err != nil {
			r.closed = true
			return r
		}
		if g, ok := fr.(*http2.GoAwayFrame); ok && (g.ErrCode != http2.ErrCodeNo || g.LastStreamID < stream) {
			r.gone = &g.ErrCode
			return r
		}
		r.leaving = r.leaving || fr.Header().Type == http2.FrameGoAway
		if fr.Header().StreamID != stream {
			continue
		}
		switch fr := fr.(type) {
		case *http2.MetaHeadersFrame:
			h := http.Header{}
			for _, field := range fr.RegularFields() {
				h.Add(field.Name, field.Value)
			}
			if s := fr.PseudoValue("status"); s != "" && r.status == "" {
				r.status, r.header = s, h
			} else {
				r.trailer = h
			}
		case *http2.DataFrame:
			r.body += string(fr.Data())
		case *http2.RSTStreamFrame:
			r.reset = &fr.ErrCode
			return r
		}
		if fr.Header().Flags.Has(http2.FlagDataEndStream) && fr.Header().Type != http2.FrameWindowUpdate {
			return r
		}
	}
}

// works asks for something and wants it, as who was not harmed.
func (f *framed) works(stream uint32) {
	f.t.Helper()
	f.ask(stream, true, asks("GET", "/works")...)
	if r := f.replyTo(stream); r.status != "200" {
		f.t.Errorf("a sound request on stream %d: %v", stream, r)
	}
}

// http2Client is a client that speaks HTTP/2 by prior knowledge to the door at
// addr, whatever a URL's host.
func http2Client(t *testing.T, addr string) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(true)
	transport.DialContext = dialer(addr)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask2 asks by a client and reads the whole answer.
func ask2(t *testing.T, client *http.Client, method, url, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(content)
}

// within fails a test that waits too long.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: nothing for %v", what, patience)
	}
}

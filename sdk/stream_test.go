package sdk_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// The answer begins while the request is still being written, and each word
// comes back before the next is sent; trailers follow both ways.
func TestBodiesStreamBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			out := stream(c)
			in, err := c.Body.Reader()
			if err != nil {
				return nil, err
			}
			go func() {
				_, _ = io.Copy(out, in)
				out.body.SetTrailer([]lift.Field{
					{Name: "grpc-status", Value: "0"},
					{Name: "x-echo", Value: lift.Get(c.Body.Trailer(), "X-Sum")},
				})
				_ = out.Close()
			}()
			return &lift.Response{Status: 200, Body: out.body}, nil
		})
		reqBody, words := io.Pipe()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/", reqBody)
		req.Trailer = http.Header{"X-Sum": nil}
		resp, err := sdk.New(eng).HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"one", "two", "three"} {
			if _, err := io.WriteString(words, word); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(word))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != word {
				t.Fatalf("got %q, %v; want %q", got, err, word)
			}
		}
		if _, ended := eng.count(); ended != 0 {
			t.Error("the call was ended while it ran")
		}
		req.Trailer.Set("X-Sum", "42")
		_ = words.Close()
		if rest := readAll(t, resp.Body); rest != "" {
			t.Errorf("got %q after the end", rest)
		}
		want := http.Header{"Grpc-Status": {"0"}, "X-Echo": {"42"}}
		if len(resp.Trailer) != 2 || resp.Trailer.Get("Grpc-Status") != "0" || resp.Trailer.Get("X-Echo") != "42" {
			t.Errorf("got trailer %v, want %v", resp.Trailer, want)
		}
		if got := lift.Get(eng.last().Header, "Trailer"); got != "X-Sum" {
			t.Errorf("trailers announced as %q", got)
		}
		if _, ended := eng.count(); ended != 1 {
			t.Error("the call was not ended with its answer")
		}
		_ = resp.Body.Close()
		_ = resp.Body.Close()
	})
}

func TestEarlyCloseBreaksTheAnswerOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var end error
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			out := stream(c)
			out.body.OnEnd(func(err error) { end = err })
			go func() { _, _ = io.WriteString(out, "first of many") }()
			return &lift.Response{Status: 200, Body: out.body}, nil
		})
		pr, pw := io.Pipe() // a request that never ends
		body := &tracked{Reader: pr}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/", body)
		resp, err := sdk.New(eng).HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if !errors.Is(end, lift.ErrBodyClosed) {
			t.Errorf("the engine's body ended with %v", end)
		}
		if _, ended := eng.count(); ended != 1 {
			t.Error("the call was not ended")
		}
		if !body.isClosed() {
			t.Error("the request's body was not closed")
		}
		if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("read after close: %v", err)
		}
		if _, err := pw.Write([]byte("x")); err == nil {
			t.Error("the request's writer was not woken")
		}
	})
}

func TestAnswerThatBreaksOff(t *testing.T) {
	tests := []struct {
		name string
		with error
		code lift.Code
	}{
		{"by the transport", io.ErrUnexpectedEOF, lift.Unavailable},
		{"with the session", &lift.Error{Code: lift.SessionLost, Err: errors.New("gone")}, lift.SessionLost},
		{"over a limit", lift.TooLarge, lift.TooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
					c.NewAttempt(lift.AttemptRecord{Status: 200})
					out := stream(c)
					go func() {
						_, _ = io.WriteString(out, "half")
						_ = out.CloseWithError(tt.with)
					}()
					return &lift.Response{Status: 200, Body: out.body}, nil
				})
				resp, err := sdk.New(eng).HTTPClient().Get("http://orders/")
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				wantCode(t, err, tt.code)
				if string(got) != "half" || !errors.Is(err, tt.with) {
					t.Errorf("got %q, %v", got, err)
				}
				_ = resp.Body.Close()
			})
		})
	}
}

// A body that can be made again but is too long for the replay buffer streams
// with its declared length, and is held to it.
func TestDeclaredLengthIsKept(t *testing.T) {
	const size = lift.ReplayLimit + 10
	for _, tt := range []struct {
		name   string
		actual int
		good   bool
	}{{"exact", size, true}, {"short", size - 1, false}, {"long", size + 1, false}} {
		t.Run(tt.name, func(t *testing.T) {
			var got []byte
			var readErr error
			eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
				got, readErr = c.Body.ReadAll(0)
				return ok(""), nil
			})
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/", io.LimitReader(zeros{}, int64(tt.actual)))
			req.ContentLength = size
			resp, err := sdk.New(eng).HTTPClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if (readErr == nil) != tt.good || (tt.good && len(got) != size) || len(got) > size {
				t.Errorf("read %d bytes, %v", len(got), readErr)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What a record tells is there when the answer has ended, not before.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.1:80"}, Outcome: lift.Failed})
			a := c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.2:80"}, Status: 200, Reached: lift.Answered})
			out := stream(c)
			go func() { <-finish; _ = out.Close() }()
			// The engine writes the last of the record when the call ends.
			c.Hold(func() {
				a.Outcome = lift.OK
				a.End()
			})
			return &lift.Response{Status: 200, Body: out.body}, nil
		})
		var rec sdk.Record
		resp, err := sdk.New(eng).HTTPClient().Do(get(sdk.With(t.Context(), sdk.RecordIn(&rec)), "http://orders/"))
		if err != nil {
			t.Fatal(err)
		}
		if got := rec.Attempts(); got != nil {
			t.Errorf("the record is there before the end: %v", got)
		}
		close(finish)
		_ = readAll(t, resp.Body)
		_ = resp.Body.Close()
		var got []string
		for _, a := range rec.Attempts() {
			got = append(got, a.Endpoint.Addr+" "+a.Outcome.String())
		}
		if want := []string{"10.0.0.1:80 failed", "10.0.0.2:80 ok"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if e, answered := rec.Endpoint(); !answered || e.Addr != "10.0.0.2:80" || rec.Direct() {
			t.Errorf("got %v %v, direct %v", e, answered, rec.Direct())
		}
	})

	var rec sdk.Record
	eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
		c.NewAttempt(lift.AttemptRecord{Outcome: lift.Failed})
		return nil, lift.Errorf(c, lift.Unavailable, "refused")
	})
	_, err := sdk.Get[string](t.Context(), sdk.New(eng), "orders", "/", sdk.RecordIn(&rec))
	wantCode(t, err, lift.Unavailable)
	if _, answered := rec.Endpoint(); answered || len(rec.Attempts()) != 1 {
		t.Errorf("a failed call's record: %v", rec.Attempts())
	}
	if !strings.Contains(err.Error(), "orders") {
		t.Errorf("%v does not name the service", err)
	}
}

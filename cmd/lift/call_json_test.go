package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
)

// callAsJSON runs `lift call --json` and returns what it wrote.
func callAsJSON(t *testing.T, socket string, wantCode int, args ...string) (got callJSON, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"call", "--json", "orders", "--socket", socket}, args...)
	if code := run(t.Context(), args, streams{strings.NewReader(""), &out, &errs}, nothing); code != wantCode {
		t.Errorf("exit code %d, want %d: %s", code, wantCode, &errs)
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	return got, errs.String()
}

func TestCallAsJSON(t *testing.T) {
	binary := []byte{0xff, 0, 1}
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		record(c)
		content := []byte(`{"id":"<17>"}`)
		if c.Path == "/binary" {
			content = binary
		}
		body := lift.BytesBody(content)
		body.SetTrailer([]lift.Field{{Name: "X-Sum", Value: "7"}})
		return &lift.Response{Status: http.StatusNotFound, Header: []lift.Field{{Name: "X-Two", Value: "1"}, {Name: "x-two", Value: "2"}}, Body: body}, nil
	})
	got, stderr := callAsJSON(t, socket, exitOK, "/orders/17")
	if got.Status != 404 || got.Body == nil || *got.Body != `{"id":"<17>"}` || got.Method != "GET" || got.Path != "/orders/17" || got.Error != nil || stderr != "" {
		t.Errorf("%+v, standard error %q", got, stderr)
	}
	if fmt.Sprint(got.Header["x-two"], got.Trailer["x-sum"]) != "[1 2] [7]" {
		t.Errorf("header %v, trailer %v", got.Header, got.Trailer)
	}
	if len(got.Attempts) != 2 || got.Attempts[0].Error != "refused" || !got.Attempts[0].Fresh || got.Attempts[0].Reached != "not_reached" {
		t.Fatalf("attempts %+v", got.Attempts)
	}
	if a := got.Attempts[1]; a.TookMS != 1.5 || a.Why != "next in turn" || a.Candidates != 2 || a.ID != "b" || a.Zone != "use1-az1" || !a.Probe || a.TimeoutMS != 1000 || a.QueuedMS != 0.5 || a.SendingMS != 0.25 || a.BeganMS < 999 {
		t.Errorf("attempt 2: %+v", a)
	}
	if got, _ := callAsJSON(t, socket, exitOK, "/binary"); got.Body != nil || !bytes.Equal(got.Bytes, binary) {
		t.Errorf("of what is no text came %+v", got)
	}
	if _, stderr := callAsJSON(t, socket, exitRefused, "--fail"); stderr != "lift: orders answered 404 Not Found\n" {
		t.Errorf("with --fail: %q", stderr)
	}
}

func TestCallAsJSONFails(t *testing.T) {
	half := false
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		record(c)
		if half {
			broken := io.MultiReader(strings.NewReader("half"), brokenReader{})
			return &lift.Response{Status: http.StatusOK, Body: lift.StreamBody(io.NopCloser(broken), -1, 0)}, nil
		}
		return nil, lift.Errorf(c, lift.AllOpen, "nobody is left")
	})
	got, stderr := callAsJSON(t, socket, exitFailed)
	if got.Error == nil || got.Error.Code != "all_open" || got.Error.Message != "nobody is left" || got.Error.Reached != "answered" || got.Status != 0 || len(got.Attempts) != 2 {
		t.Errorf("%+v", got)
	}
	if !strings.HasPrefix(stderr, "lift: orders: all_open: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("standard error %q", stderr)
	}
	half = true
	if got, _ := callAsJSON(t, socket, exitFailed); got.Error == nil || got.Status != 200 || got.Body == nil {
		t.Errorf("of half an answer came %+v", got)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A long body is not held in memory, and comes whole.
func TestCallStreamsLongBodies(t *testing.T) {
	const size = 8 << 20
	declared := int64(0)
	socket := running(t, func(c *lift.Call) (*lift.Response, error) {
		declared = c.Body.Size()
		r, err := c.Body.Reader()
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(io.Discard, r)
		return &lift.Response{Status: http.StatusOK, Body: lift.BytesBody(fmt.Append(nil, n))}, err
	})
	var out, errs bytes.Buffer
	in := io.LimitReader(zeros{}, size)
	if code := run(t.Context(), []string{"call", "orders", "PUT", "/", "-d", "@-", "--socket", socket}, streams{in, &out, &errs}, nothing); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	if out.String() != fmt.Sprint(size) || declared != -1 {
		t.Errorf("%s bytes came of %d, %d declared", &out, size, declared)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

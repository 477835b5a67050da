package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// flushTime is what a server gets to send what was written, before its
// connection is cut.
const flushTime = 20 * time.Millisecond

// noteState follows which connections wait for a request.
func (i *instance) noteState(c net.Conn, s http.ConnState) {
	i.setIdle(c.RemoteAddr().String(), s == http.StateIdle)
}

// ServeHTTP implements http.Handler.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, delay, wrong := i.manners(r.Method)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	asked := query(r, body)
	if d, err := time.ParseDuration(asked.Get("sleep")); err == nil {
		delay = max(delay, d)
	}
	if n, err := strconv.Atoi(asked.Get("status")); err == nil {
		status = n
	}
	pause(r.Context(), delay)
	if wrong != "" {
		i.misbehave(w, r, wrong)
		return
	}
	if n, err := strconv.Atoi(asked.Get("size")); err == nil {
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.WriteHeader(status)
		_, _ = io.CopyN(w, endless{}, int64(n)) // the caller may have gone
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	content, err := json.Marshal(map[string]string{
		"instance": i.name, "method": r.Method, "body": string(body), "protocol": r.Proto, "host": r.Host, "path": r.URL.Path,
	})
	if err == nil {
		_, _ = w.Write(content) // likewise
	}
}

// query is what a request asks for. To Lambda's Invoke API the request comes as
// an event; what is answered without a status code is the function's answer.
func query(r *http.Request, body []byte) url.Values {
	var event struct{ RawQueryString string }
	if strings.HasSuffix(r.URL.Path, "/invocations") && json.Unmarshal(body, &event) == nil {
		asked, _ := url.ParseQuery(event.RawQueryString) // what is not understood is not asked for
		return asked
	}
	return r.URL.Query()
}

// misbehave answers wrongly and hangs up.
func (i *instance) misbehave(w http.ResponseWriter, r *http.Request, how string) {
	defer func() { _ = i.gate.hangUp(r.RemoteAddr) }()
	if how == "half" {
		w.Header().Set("Content-Length", "1000")
		_, err := io.WriteString(w, "half of it")
		if err == nil {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(flushTime)
		}
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	switch how {
	case "garbage":
		_, _ = buffered.WriteString("\x16\x03\x01 this is no HTTP at all\r\n\r\n")
	case "endless":
		_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = buffered.WriteString("X-More: " + strings.Repeat("x", 1000) + "\r\n")
		}
	}
	_ = buffered.Flush()
}

// pause waits, but not for a caller that has gone.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

package sigv4test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// Guard lets signed requests pass to next and refuses others, as AWS's front ends
// do. It remembers the signatures it has seen. Safe for concurrent use.
type Guard struct {
	Verifier
	Next http.Handler
	// Status is that of a refusal. Default 403; AWS's JSON protocols give 400.
	Status int

	mu   sync.Mutex
	seen []string
}

// ServeHTTP implements [http.Handler].
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	g.seen = append(g.seen, r.Header.Get("X-Amz-Date")+" "+r.Header.Get("Authorization"))
	g.mu.Unlock()
	if g.Now != nil {
		w.Header().Set("Date", g.Now().UTC().Format(http.TimeFormat))
	} else {
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if refusal := g.Verify(r, content); refusal != nil {
		Refuse(w, cmp.Or(g.Status, http.StatusForbidden), refusal.Kind, refusal.Message)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	g.Next.ServeHTTP(w, r)
}

// Seen are the signatures that have come, with their dates, in order.
func (g *Guard) Seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.seen...)
}

// Refuse writes an error as AWS's services do.
func Refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if text, err := json.Marshal(map[string]string{"__type": kind, "message": message, "Message": message}); err == nil {
		_, _ = w.Write(text) // nobody is left to tell
	}
}

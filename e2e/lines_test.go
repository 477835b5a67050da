//go:build e2e && linux

package e2e_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines keeps what processes write. A data race that one of them reports fails
// the test; all lines are shown if the test has failed.
type lines struct {
	t    *testing.T
	mu   sync.Mutex
	all  []line
	more chan struct{}
}

type line struct{ source, text string }

func newLines(t *testing.T) *lines {
	l := &lines{t: t, more: make(chan struct{})}
	t.Cleanup(func() {
		if l.has("DATA RACE") {
			t.Error("a program reports a data race")
		}
		if t.Failed() {
			t.Log("\n" + l.String())
		}
	})
	return l
}

func (l *lines) add(source, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line{source, text})
	close(l.more)
	l.more = make(chan struct{})
}

func (l *lines) String() string {
	var b strings.Builder
	for _, x := range l.matching("") {
		b.WriteString(x.source + ": " + x.text + "\n")
	}
	return b.String()
}

// matching returns the lines that hold part.
func (l *lines) matching(part string) (found []line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if strings.Contains(x.text, part) {
			found = append(found, x)
		}
	}
	return found
}

func (l *lines) has(part string) bool { return len(l.matching(part)) > 0 }

// find waits for a line that holds part.
func (l *lines) find(part string) line {
	l.t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		more := l.more
		l.mu.Unlock()
		if found := l.matching(part); len(found) > 0 {
			return found[0]
		}
		select {
		case <-more:
		case <-limit:
			l.t.Fatalf("no line holds %q", part)
		}
	}
}

// record is one JSON line of lift-extension's log.
type record struct {
	Level    string `json:"level"`
	Msg      string `json:"msg"`
	Service  string `json:"service"`
	Endpoint string `json:"endpoint"`
	From     string `json:"from"`
	To       string `json:"to"`
	Why      string `json:"why"`
	Problems string `json:"problems"`
	Error    string `json:"error"`
}

// records are the log lines among the lines.
func (l *lines) records() (all []record) {
	for _, x := range l.matching(`"msg":`) {
		var r record
		if json.Unmarshal([]byte(x.text), &r) == nil {
			all = append(all, r)
		}
	}
	return all
}

// moves are an endpoint's changes of state in order, as
// "closed>open".
func (l *lines) moves(endpoint string) (all []string) {
	for _, r := range l.records() {
		if r.Msg == "endpoint state" && r.Endpoint == endpoint {
			all = append(all, r.From+">"+r.To)
		}
	}
	return all
}

// moved waits for a change of state of an endpoint.
func (l *lines) moved(endpoint, from, to string) {
	l.t.Helper()
	waitFor(l.t, endpoint+" goes from "+from+" to "+to, func() bool {
		return slices.Contains(l.moves(endpoint), from+">"+to)
	})
}

package cloudmap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
)

// fake is Cloud Map's API without a network, so that it runs in a bubble.
type fake struct {
	mu        sync.Mutex
	began     time.Time
	instances []map[string]string // their attributes, and id
	revision  int64
	refuses   map[string]string // operation: kind of error
	broken    error
	hangs     time.Duration
	skew      time.Duration // of the wall clock
	asked     []string      // operation@seconds
	last      string        // the last question
}

func newFake() *fake { return &fake{began: time.Now(), refuses: map[string]string{}} }

func (f *fake) registry(change ...func(*Config)) *Registry {
	c := Config{Endpoint: "https://cloudmap.example", Namespace: "shop", Do: f.do, Now: f.now, Rand: func() uint64 { return 0 }}
	for _, ch := range change {
		ch(&c)
	}
	return New(c)
}

func (f *fake) now() lift.Instant {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := lift.Now()
	i.Wall = i.Wall.Add(f.skew)
	return i
}

func (f *fake) change(move func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	move()
}

// set changes the instances; a new revision goes along.
func (f *fake) set(instances ...map[string]string) {
	f.change(func() { f.instances, f.broken = instances, nil; f.revision++ })
}

func on(id, addr string, more ...string) map[string]string {
	host, port, _ := net.SplitHostPort(addr)
	m := map[string]string{"id": id, ipv4Attribute: host, portAttribute: port}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// of are instances like the endpoints.
func of(set []lift.Endpoint) (all []map[string]string) {
	for _, ep := range set {
		all = append(all, on(ep.ID, ep.Addr, weightAttribute, strconv.Itoa(max(ep.Weight, 1))))
	}
	return all
}

func (f *fake) do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Route53AutoNaming_v20170314.")
	f.mu.Lock()
	f.asked = append(f.asked, fmt.Sprintf("%s@%d", strings.TrimPrefix(operation, "DiscoverInstances"), int(time.Since(f.began).Seconds())))
	f.last = string(body)
	hangs := f.hangs
	f.mu.Unlock()
	if hangs > 0 {
		t := time.NewTimer(hangs)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	if kind := f.refuses[operation]; kind != "" {
		return response(400, map[string]any{"__type": "x#" + kind, "message": "because"}), nil
	}
	if operation == "DiscoverInstancesRevision" {
		return response(200, map[string]any{"InstancesRevision": f.revision}), nil
	}
	list := []map[string]any{}
	for _, i := range f.instances {
		attributes := map[string]string{}
		for k, v := range i {
			if k != "id" {
				attributes[k] = v
			}
		}
		list = append(list, map[string]any{"InstanceId": i["id"], "HealthStatus": "HEALTHY", "Attributes": attributes})
	}
	return response(200, map[string]any{"Instances": list, "InstancesRevision": f.revision}), nil
}

func response(status int, v any) *http.Response {
	text, _ := json.Marshal(v)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text))}
}

// want fails the test unless these questions were put since it was last asked.
func (f *fake) want(t *testing.T, asked string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := strings.Join(f.asked, " "); got != asked {
		t.Errorf("asked %q, want %q", got, asked)
	}
	f.asked = nil
}

var errGone = errors.New("connection refused")

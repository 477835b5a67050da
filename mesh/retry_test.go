package mesh_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
)

// An answer that cannot be retried elsewhere reaches the caller, head and body, also
// where its body was still coming in when that was decided.
func TestAnswerThatCannotBeRetriedElsewhere(t *testing.T) {
	for _, chunks := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunks=%v", chunks), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1")
				m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
					o.Services[0].Breaker = resilience.BreakerConfig{Consecutive: 1}
				})
				n.instances["a:1"].set(func(i *instance) {
					i.status, i.chunks, i.header = 503, chunks, map[string]string{"X-Reason": "too much to do"}
				})
				c := get()
				defer c.End()
				resp, err := m.Call(c)
				if err != nil {
					t.Fatal(err)
				}
				body, err := resp.Body.ReadAll(0)
				if resp.Status != 503 || string(body) != "a:1" || err != nil {
					t.Errorf("%d %q, %v", resp.Status, body, err)
				}
				if _, whole := resp.Body.Complete(); whole == chunks {
					t.Errorf("the answer came whole: %v", whole)
				}
				if s := status(t, m).Endpoints[0]; s.InFlight != 0 {
					t.Errorf("left in flight: %+v", s)
				}
			})
		})
	}
}

// Retry-After: with one endpoint it is waited for if the time allows, and the answer
// is left be otherwise; another endpoint is tried without that wait.
func TestRetryAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		addrs  []string
		after  string
		status int
		tries  int
		least  time.Duration
		most   time.Duration
	}{
		"one, time enough":     {[]string{"a:1"}, "1", 200, 2, time.Second, time.Second},
		"one, a date":          {[]string{"a:1"}, "date", 200, 2, time.Second, time.Second},
		"one, not enough":      {[]string{"a:1"}, "5", 429, 1, 0, 0},
		"one, nothing is said": {[]string{"a:1"}, "", 429, 3, 0, 100 * time.Millisecond},
		"two":                  {[]string{"a:1", "b:1"}, "5", 200, 2, 0, 25 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(tt.addrs...)
				m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
				a := n.instances["a:1"]
				a.set(func(i *instance) {
					i.status = 429
					switch tt.after {
					case "":
					case "date":
						i.header = map[string]string{"Retry-After": time.Now().UTC().Add(time.Second).Format(http.TimeFormat)}
					default:
						i.header = map[string]string{"Retry-After": tt.after}
					}
				})
				if tt.status == 200 && len(tt.addrs) == 1 {
					time.AfterFunc(900*time.Millisecond, func() { a.set(func(i *instance) { i.status = 200 }) })
				}
				r := send(m, get())
				for len(tt.addrs) > 1 && a.seen() == 0 {
					r = send(m, get()) // by chance
				}
				if r.err != nil || r.status != tt.status || r.call.Tries() != tt.tries || r.took < tt.least || r.took > tt.most {
					t.Errorf("%d after %d tries and %s, %v", r.status, r.call.Tries(), r.took, r.err)
				}
			})
		})
	}
}

package cloudmap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/registrytest"
)

func TestContract(t *testing.T) {
	registrytest.Run(t, func(_ *testing.T, first []lift.Endpoint) registrytest.Subject {
		f := newFake()
		f.set(of(first)...)
		return registrytest.Subject{
			Registry: f.registry(func(c *Config) { c.Poll, c.Now = 10*time.Millisecond, nil }),
			Update:   func(set []lift.Endpoint) { f.set(of(set)...) },
			Fail:     func(err error) { f.change(func() { f.broken = err }) },
		}
	})
}

// follower reads a watch in a bubble.
type follower struct{ told []string }

func follow(t *testing.T, r *Registry) *follower {
	t.Helper()
	f := &follower{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for set, err := range r.Watch(ctx, "orders") {
			var ids []string
			for _, ep := range set {
				ids = append(ids, ep.ID)
			}
			if err != nil {
				ids = []string{"error: " + err.Error()}
			}
			f.told = append(f.told, strings.Join(ids, " "))
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return f
}

func (f *follower) want(t *testing.T, told ...string) {
	t.Helper()
	synctest.Wait()
	ok := len(f.told) == len(told)
	for i := range min(len(f.told), len(told)) {
		ok = ok && (f.told[i] == told[i] || strings.HasPrefix(told[i], "error: ") && strings.Contains(f.told[i], strings.TrimPrefix(told[i], "error: ")))
	}
	if !ok {
		t.Errorf("told %q, want %q", f.told, told)
	}
	f.told = nil
}

// The revision is asked for every 5 s, the set when it is a new one, and every 30 s,
// for a change of health is no new revision.
func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(on("a", "10.0.0.1:80"))
		w := follow(t, f.registry())
		f.want(t, "@0")
		w.want(t, "a")
		time.Sleep(11 * time.Second)
		f.want(t, "Revision@5 Revision@10")
		f.set(on("a", "10.0.0.1:80"), on("b", "10.0.0.2:80"))
		time.Sleep(5 * time.Second)
		f.want(t, "Revision@15 @15")
		w.want(t, "a b")
		f.change(func() { f.instances = f.instances[:1] }) // its health changed
		time.Sleep(30 * time.Second)
		f.want(t, "Revision@20 Revision@25 Revision@30 Revision@35 Revision@40 @45")
		w.want(t, "a")
		f.set() // nobody
		time.Sleep(5 * time.Second)
		w.want(t, "")
	})
}

// Without revisions the set itself is asked for, as often.
func TestNoRevisions(t *testing.T) {
	for _, kind := range []string{"UnknownOperationException", "AccessDeniedException"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.refuses["DiscoverInstancesRevision"] = kind
			f.set(on("a", "10.0.0.1:80"))
			w := follow(t, f.registry())
			time.Sleep(11 * time.Second)
			f.want(t, "@0 Revision@5 @5 @10")
			w.want(t, "a")
		})
	}
}

// Throttled, the last set stays, the waits double, and what comes back is told once.
func TestThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(on("a", "10.0.0.1:80"))
		r := f.registry(func(c *Config) { c.Rand = func() uint64 { return 1<<64 - 1 } })
		w := follow(t, r)
		f.change(func() {
			f.refuses["DiscoverInstances"], f.refuses["DiscoverInstancesRevision"] = "RequestLimitExceeded", "RequestLimitExceeded"
		})
		time.Sleep(40 * time.Second)
		f.want(t, "@0 Revision@6 @7 @9 @13 @21 @37")
		w.want(t, "a", "error: RequestLimitExceeded: because; all of this account", "error: ", "error: ", "error: ", "error: ", "error: ")
		f.change(func() { clear(f.refuses) })
		time.Sleep(time.Minute)
		w.want(t, "a")
	})
}

func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(f *fake)
		says string
	}{
		"gone":      {func(f *fake) { f.broken = errGone }, "Cloud Map at cloudmap.example: connection refused"},
		"namespace": {func(f *fake) { f.refuses["DiscoverInstances"] = "NamespaceNotFound" }, `is cloudmap.namespace "shop" right`},
		"service":   {func(f *fake) { f.refuses["DiscoverInstances"] = "ServiceNotFound" }, `is cloudmap.service "orders" right`},
		"denied":    {func(f *fake) { f.refuses["DiscoverInstances"] = "AccessDeniedException" }, "allow the role servicediscovery:DiscoverInstances"},
		"hangs":     {func(f *fake) { f.hangs = time.Hour }, "no answer within 5s"},
		"no port":   {func(f *fake) { f.instances = []map[string]string{{"id": "a", ipv4Attribute: "10.0.0.1"}} }, "orders in shop: no instance has a usable address and port; for example, a: it has no AWS_INSTANCE_PORT; register it with one, or set cloudmap.port"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			tt.set(f)
			w := follow(t, f.registry())
			time.Sleep(5*time.Second + time.Millisecond)
			synctest.Wait()
			if len(w.told) == 0 || !strings.Contains(w.told[0], tt.says) {
				t.Errorf("%s: %q", name, w.told)
			}
		})
	}
}

type signer struct {
	err error
	why string
}

func (s signer) Sign(_ context.Context, r *http.Request, body *lift.Body) error {
	content, _ := body.Complete()
	r.Header.Set("Authorization", fmt.Sprint(len(content)))
	return s.err
}
func (s signer) Refused(int, string, string, []byte, lift.Instant) string { return s.why }

func TestSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(on("a", "10.0.0.1:80"))
		proof := ""
		w := follow(t, f.registry(func(c *Config) {
			c.Signer = signer{}
			c.Health, c.Attributes = HealthyOrElseAll, map[string]string{"color": "blue"}
			c.Do = func(r *http.Request) (*http.Response, error) {
				proof = r.Header.Get("Authorization")
				return f.do(r)
			}
		}))
		w.want(t, "a")
		if f.last != `{"NamespaceName":"shop","ServiceName":"orders","HealthStatus":"HEALTHY_OR_ELSE_ALL","MaxResults":1000,"QueryParameters":{"color":"blue"}}` || proof != fmt.Sprint(len(f.last)) {
			t.Errorf("asked %s, signed %s", f.last, proof)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		follow(t, f.registry(func(c *Config) { c.Signer = signer{err: errors.New("no keys")} })).want(t, "error: the question cannot be signed: no keys")
		f.want(t, "")
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.refuses["DiscoverInstances"] = "InvalidSignatureException"
		follow(t, f.registry(func(c *Config) { c.Signer = signer{why: "the clock"} })).want(t, "error: because; the clock")
	})
}

func freezes(c *Config) { c.Freezes = true }

// Where environments freeze it is asked beside invocations that call the service,
// once in 30 s at most, and always for the whole set.
func TestOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(on("a", "10.0.0.1:80"))
		r := f.registry(freezes)
		w := follow(t, r)
		f.want(t, "@0")
		f.set(on("b", "10.0.0.2:80"))
		time.Sleep(time.Hour)
		f.want(t, "")
		r.Needed("another")
		synctest.Wait()
		f.want(t, "")
		for range 65 { // an invocation that is a minute long
			r.Needed("orders")
			time.Sleep(time.Second)
		}
		f.want(t, "@3600 @3630 @3660")
		w.want(t, "a", "b")
		f.change(func() { f.skew += time.Hour }) // a freeze in which the monotonic clock stood still
		synctest.Wait()
		f.want(t, "")
		r.Needed("orders")
		synctest.Wait()
		f.want(t, "@3665")
	})
}

// A revision says nothing of health, and there it is not asked for.
func TestOnDemandAsksForTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.registry(freezes, func(c *Config) { c.Refetch = time.Hour })
		follow(t, r)
		time.Sleep(time.Minute)
		r.Needed("orders")
		synctest.Wait()
		f.want(t, "@0 @60")
	})
}

// A question that a freeze cuts in two is no failure; it is put again when needed.
func TestFreezeInsideAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(on("a", "10.0.0.1:80"))
		r := f.registry(freezes)
		w := follow(t, r)
		w.want(t, "a")
		time.Sleep(time.Minute)
		f.change(func() { f.hangs = time.Hour })
		r.Needed("orders")
		synctest.Wait()
		f.change(func() { f.skew += time.Hour; f.hangs = 0 })
		r.Needed("orders")
		synctest.Wait()
		f.want(t, "@0 @60 @60")
		w.want(t)
	})
}

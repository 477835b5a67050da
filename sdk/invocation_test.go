package sdk_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// session is an engine that wants to know of invocations.
type session struct {
	*engine
	told  []string
	fault bool
}

func (s *session) InvocationStart(id string, deadline time.Time, trace, tenant string) {
	if s.fault {
		panic("a bug")
	}
	left := "-"
	if !deadline.IsZero() {
		left = time.Until(deadline).String()
	}
	s.told = append(s.told, fmt.Sprintf("start %s %s %q %q", id, left, trace, tenant))
}

func (s *session) InvocationDone(id string) { s.told = append(s.told, "done "+id) }

func TestInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{engine: newEngine(t, always(200, ""))}
		client := sdk.New(s)
		outer, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		ctx, done := client.Invocation(sdk.With(outer, sdk.HashKey("k")), sdk.Invocation{ID: "r1", Trace: "Root=1-a;Lineage=x", Tenant: "acme"})
		if _, err := sdk.Get[struct{}](ctx, client, "orders", "/"); err != nil {
			t.Fatal(err)
		}
		c := s.last()
		if got := lift.Get(c.Header, "X-Amzn-Trace-Id"); got != "Root=1-a;Lineage=x" || c.Tenant != "acme" || c.HashKey != "k" {
			t.Errorf("got trace %q, tenant %q, hash key %q", got, c.Tenant, c.HashKey)
		}
		if _, err := sdk.Get[struct{}](ctx, client, "orders", "/", sdk.Header("x-amzn-trace-id", "own"), sdk.Tenant("other")); err != nil {
			t.Fatal(err)
		}
		c = s.last()
		if len(c.Header) != 2 || lift.Get(c.Header, "X-Amzn-Trace-Id") != "own" || c.Tenant != "other" {
			t.Errorf("got header %v, tenant %q", c.Header, c.Tenant)
		}
		req := get(ctx, "http://orders/")
		req.Header.Set("X-Amzn-Trace-Id", "own")
		resp, err := client.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if c = s.last(); len(c.Header) != 1 {
			t.Errorf("got header %v", c.Header)
		}
		done()
		done()
		if want := []string{`start r1 5s "Root=1-a;Lineage=x" "acme"`, "done r1"}; !slices.Equal(s.told, want) {
			t.Errorf("told %v, want %v", s.told, want)
		}
	})
}

func TestInvocationWithoutASidecar(t *testing.T) {
	for name, client := range map[string]*sdk.Client{
		"a caller that does not care": sdk.New(newEngine(t, always(200, ""))),
		"a caller with a bug":         sdk.New(&session{engine: newEngine(t, always(200, "")), fault: true}),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, done := client.Invocation(t.Context(), sdk.Invocation{ID: "r1", Trace: "bad\nvalue"})
			if _, err := sdk.Get[struct{}](ctx, client, "orders", "/"); err != nil {
				t.Errorf("the call failed: %v", err)
			}
			done()
		})
	}
}

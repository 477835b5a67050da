package resilience_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

// never is a body of which nothing more comes.
type never struct{ closed chan struct{} }

func (n never) Read([]byte) (int, error) { <-n.closed; return 0, io.ErrClosedPipe }
func (n never) Close() error             { close(n.closed); return nil }

func TestWhole(t *testing.T) {
	stream := func(s string, size int64) *lift.Body {
		return lift.StreamBody(io.NopCloser(strings.NewReader(s)), size, 2)
	}
	hanging := stream("stands for one that is made in the bubble", -1)
	for name, tt := range map[string]struct {
		body   *lift.Body
		code   lift.Code // "" is none
		cancel bool
		cost   time.Duration
	}{
		"none":           {nil, "", false, 0},
		"here":           {lift.BytesBody([]byte("12345")), "", false, 0},
		"coming":         {stream("12345", -1), "", false, 0},
		"coming, sized":  {stream("12345", 5), "", false, 0},
		"too long":       {lift.BytesBody([]byte("123456")), lift.TooLarge, false, 0},
		"says too long":  {stream("", 6), lift.TooLarge, false, 0},
		"comes too long": {stream("123456", -1), lift.TooLarge, false, 0},
		"breaks":         {lift.StreamBody(io.NopCloser(io.MultiReader(strings.NewReader("1"), broken{})), -1, 0), lift.CallCanceled, false, 0},
		"never comes":    {hanging, lift.DeadlineExceeded, false, time.Second},
		"canceled":       {hanging, lift.CallCanceled, true, time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, sent := time.Now(), ""
				step := resilience.Whole(5, lift.Now)(lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
					content, whole := c.Body.Complete()
					sent = string(content)
					if !whole {
						t.Error("the body is not here")
					}
					return &lift.Response{Body: lift.BytesBody(nil)}, nil
				}))
				if tt.body == hanging {
					tt.body = lift.StreamBody(never{make(chan struct{})}, -1, 0)
				}
				c := &lift.Call{Body: tt.body, Deadline: began.Add(time.Second)}
				if tt.cancel {
					time.AfterFunc(time.Millisecond, func() { c.Cancel(context.Canceled) })
				}
				_, err := step.Call(c)
				if lift.CodeOf(err) != tt.code || time.Since(began) != tt.cost || tt.code == "" && tt.body != nil && sent != "12345" {
					t.Errorf("%v after %s, sent %q", err, time.Since(began), sent)
				}
			})
		})
	}
	passed := false
	step := resilience.Whole(5, lift.Now)(lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		_, whole := c.Body.Complete()
		passed = !whole
		return &lift.Response{Body: lift.BytesBody(nil)}, nil
	}))
	if _, err := step.Call(&lift.Call{Upgrade: "websocket", Body: stream("123456", -1)}); err != nil || !passed {
		t.Errorf("a call that upgrades: %v", err)
	}
	if resilience.Whole(0, lift.Now) != nil {
		t.Error("a step that has nothing to do")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

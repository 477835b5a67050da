package sdk_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

func TestCancelBeforeTheCall(t *testing.T) {
	for _, tt := range []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
		code lift.Code
		is   error
	}{
		{"canceled", func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }, lift.CallCanceled, context.Canceled},
		{"too late", func() (context.Context, context.CancelFunc) {
			return context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
		}, lift.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := tt.ctx()
			cancel()
			eng := newEngine(t, always(200, ""))
			_, err := sdk.New(eng).HTTPClient().Do(get(ctx, "http://orders/"))
			wantCode(t, err, tt.code)
			if !errors.Is(err, tt.is) {
				t.Errorf("%v is no %v", err, tt.is)
			}
			if calls, _ := eng.count(); calls != 0 {
				t.Error("the call was made")
			}
		})
	}
}

func TestCancelBeforeTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("the user went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		eng := newEngine(t, silent)
		time.AfterFunc(time.Second, func() { cancel(reason) })
		_, err := sdk.New(eng).HTTPClient().Do(get(ctx, "http://orders/"))
		wantCode(t, err, lift.CallCanceled)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
			t.Errorf("%v: does not say why", err)
		}
	})
}

func TestCancelAfterTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			return &lift.Response{Status: 200, Body: stream(c).body}, nil
		})
		resp, err := sdk.New(eng).HTTPClient().Do(get(ctx, "http://orders/"))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		_, err = io.ReadAll(resp.Body)
		wantCode(t, err, lift.CallCanceled)
		_ = resp.Body.Close()
		if _, ended := eng.count(); ended != 1 {
			t.Error("the call was not ended")
		}
	})
}

// A context that ends after its call leaves the call alone.
func TestCancelAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		eng := newEngine(t, always(200, "{}"))
		if _, err := sdk.Get[struct{}](ctx, sdk.New(eng), "orders", "/"); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if err := eng.last().Err(); err != nil {
			t.Errorf("the ended call was canceled: %v", err)
		}
	})
}

// The call's deadline is what the context has left, counted from the client's
// clock, which may be set apart from the machine's.
func TestDeadlineGoesByTheClientsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := newEngine(t, always(200, ""))
		shifted := func() lift.Instant {
			now := lift.Now()
			now.Wall = now.Wall.Add(6 * time.Hour)
			return now
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := sdk.Get[struct{}](ctx, sdk.New(eng, sdk.Clock(shifted)), "orders", "/"); err != nil {
			t.Fatal(err)
		}
		c := eng.last()
		if got := c.Deadline.Sub(c.Began.Wall); got != 3*time.Second {
			t.Errorf("the call has %s, want 3s", got)
		}
		if got := time.Until(c.Began.Wall); got != 6*time.Hour {
			t.Errorf("the call began %s from now", got)
		}
		if _, err := sdk.Get[struct{}](t.Context(), sdk.New(eng), "orders", "/"); err != nil || !eng.last().Deadline.IsZero() {
			t.Errorf("a context without deadline gave %s, %v", eng.last().Deadline, err)
		}
	})
}

// The engine, which knows what was tried, has the first word at the deadline.
func TestEngineReportsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			c.NewAttempt(lift.AttemptRecord{Outcome: lift.CutShort})
			select {
			case <-time.After(time.Until(c.Deadline) + 5*time.Millisecond):
				return nil, lift.Errorf(c, lift.DeadlineExceeded, "after 1 attempt")
			case <-c.Done():
				return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := sdk.New(eng).HTTPClient().Do(get(ctx, "http://orders/"))
		if e := wantCode(t, err, lift.DeadlineExceeded); len(e.Attempts) != 1 || e.Err.Error() != "after 1 attempt" {
			t.Errorf("got %v, want the engine's own error", err)
		}
		if eng.last().Err() != nil {
			t.Error("the engine was canceled while it was about to report")
		}
	})
}

// An engine that stands still does not hold the application past its deadline.
func TestDeadlineThatNobodyReports(t *testing.T) {
	const limit = time.Second
	deadline := func(t *testing.T) (context.Context, []sdk.CallOption) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		t.Cleanup(cancel)
		return ctx, nil
	}
	option := func(t *testing.T) (context.Context, []sdk.CallOption) {
		return t.Context(), []sdk.CallOption{sdk.Timeout(limit)}
	}
	for name, limited := range map[string]func(*testing.T) (context.Context, []sdk.CallOption){"context": deadline, "option": option} {
		t.Run(name+", before the head", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, opts := limited(t)
				client := sdk.New(newEngine(t, silent))
				began := time.Now()
				_, err := client.HTTPClient().Do(get(sdk.With(ctx, opts...), "http://orders/"))
				wantCode(t, err, lift.DeadlineExceeded)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is no context.DeadlineExceeded", err)
				}
				if took := time.Since(began); took < limit || took > limit+50*time.Millisecond {
					t.Errorf("it took %s", took)
				}
			})
		})
		t.Run(name+", in the middle of an answer", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, opts := limited(t)
				client := sdk.New(newEngine(t, func(c *lift.Call) (*lift.Response, error) {
					return &lift.Response{Status: 200, Body: stream(c).body}, nil
				}))
				_, err := sdk.Get[string](ctx, client, "orders", "/", opts...)
				wantCode(t, err, lift.DeadlineExceeded)
			})
		})
	}
}

// The timeout of a call whose answer streams is the engine's business once the
// head is here: a stream of events outlives it.
func TestTimeoutDoesNotCutAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			out := stream(c)
			time.AfterFunc(time.Minute, func() { _, _ = io.WriteString(out, "late"); _ = out.Close() })
			return &lift.Response{Status: 200, Body: out.body}, nil
		})
		resp, err := sdk.New(eng).HTTPClient().Do(get(sdk.With(t.Context(), sdk.Timeout(time.Second)), "http://orders/"))
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp.Body); got != "late" {
			t.Errorf("got %q", got)
		}
		_ = resp.Body.Close()
	})
}

// A fault in what canceling sets off does not end the application.
func TestFaultInACancelIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			c.OnCancel(func() { panic("a bug") })
			return silent(c)
		})
		time.AfterFunc(time.Second, cancel)
		_, err := sdk.Get[string](ctx, sdk.New(eng), "orders", "/")
		wantCode(t, err, lift.CallCanceled)
	})
}

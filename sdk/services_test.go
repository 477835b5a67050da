package sdk_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// teller is an engine that knows of services.
type teller struct {
	lift.Caller
	services func(ctx context.Context, names []string) ([]lift.ServiceStatus, error)
}

func (t teller) Services(ctx context.Context, names ...string) ([]lift.ServiceStatus, error) {
	return t.services(ctx, names)
}

func TestServices(t *testing.T) {
	hung := make(chan struct{})
	eng := teller{newEngine(t, always(200, "")), func(ctx context.Context, names []string) ([]lift.ServiceStatus, error) {
		switch {
		case slices.Equal(names, []string{"ordres"}):
			return nil, &lift.Error{Code: lift.UnknownService, Service: "ordres", Err: errors.New("the configured ones are orders")}
		case slices.Equal(names, []string{"fault"}):
			panic("a bug")
		case slices.Equal(names, []string{"hang"}):
			<-hung
			return nil, nil
		}
		return []lift.ServiceStatus{{Name: "orders", From: strings.Join(names, "+"), Told: time.Unix(7, 0), Endpoints: []lift.EndpointStatus{{State: "open", Why: "refused"}}}}, nil
	}}
	socket := socketOf(t)
	stop := serve(t, socket, eng)
	remote := dial(t, socket)
	for name, client := range map[string]*sdk.Client{"in process": sdk.New(eng), "over the socket": remote} {
		t.Run(name, func(t *testing.T) {
			got, err := client.Services(t.Context(), "orders", "users")
			if err != nil || len(got) != 1 || got[0].From != "orders+users" || !got[0].Told.Equal(time.Unix(7, 0)) || got[0].Endpoints[0].Why != "refused" {
				t.Errorf("got %+v, %v", got, err)
			}
			if got, err := client.Services(t.Context()); err != nil || got[0].From != "" {
				t.Errorf("all: %+v, %v", got, err)
			}
			_, err = client.Services(t.Context(), "ordres")
			if e, ok := errors.AsType[*lift.Error](err); !ok || e.Code != lift.UnknownService || !strings.Contains(e.Error(), "the configured ones are orders") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a bug", func(t *testing.T) {
		_, err := remote.Services(t.Context(), "fault")
		wantCode(t, err, lift.Internal)
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := remote.Services(ctx)
		wantCode(t, err, lift.CallCanceled)
	})
	t.Run("too slow", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := remote.Services(ctx, "hang")
		wantCode(t, err, lift.DeadlineExceeded)
		close(hung)
	})
	t.Run("another engine", func(t *testing.T) {
		_, err := sdk.New(newEngine(t, always(200, ""))).Services(t.Context())
		wantCode(t, err, lift.Misconfigured)
	})
	stop()
	t.Run("no sidecar", func(t *testing.T) {
		_, err := remote.Services(t.Context())
		wantCode(t, err, lift.NoSidecar)
	})
}

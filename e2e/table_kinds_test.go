//go:build e2e && linux

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/liftmesh/lift/sdk"
)

// kind is one way to reach a service.
type kind struct {
	name     string
	upstream []string // flags of the instances
	config   []string // lines of the service in lift.yaml
	// ask makes one call that the instance sleeps on, and returns the instance's
	// name. The context says whether it is idempotent.
	ask func(ctx context.Context, c *sdk.Client, service string, sleep time.Duration) (string, error)
	// streams: answers are handed on before they have ended.
	streams bool
}

func kinds(t *testing.T) []kind {
	t.Helper()
	return []kind{
		{name: "http", ask: askHTTP},
		{name: "h2c", upstream: []string{"-protocols", "h2c", "-streams", "4"}, config: []string{"protocol: h2c"}, ask: askHTTP},
	}
}

func askHTTP(ctx context.Context, c *sdk.Client, service string, sleep time.Duration) (string, error) {
	got, err := sdk.JSON[struct{ Instance string }](ctx, c, http.MethodPost, service, fmt.Sprintf("/?sleep=%s", sleep), struct{}{})
	return got.Instance, err
}

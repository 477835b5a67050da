package mesh

import (
	"context"
	"net/http"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// ServiceConfig configures one service of the mesh. A zero field means its default.
type ServiceConfig struct {
	// Name is what callers call the service, in any case; see [lift.ServiceName].
	Name string
	// From says where Registry learns its endpoints (static, dns, ...). Only people
	// read it.
	From string
	// Marks tell a reload what has changed. Default: everything counts as changed.
	Marks Marks
	// Broken, if not nil, is what is wrong with this service's configuration. Its calls
	// fail with this error; other services are not affected.
	Broken error
	// Registry lists the service's endpoints, under the name Lookup ("" means Name).
	Registry registry.Registry
	Lookup   string
	// Timeout is the time for the whole call, retries included. Default 2 s. A call's
	// own Timeout replaces it.
	Timeout time.Duration
	// AttemptTimeout is the time for one attempt, up to the answer's head. Default 0:
	// half of the call's own Timeout or, if it has none, of the Timeout above.
	AttemptTimeout time.Duration
	Retry          resilience.RetryConfig
	// Idempotent says that every call may be sent twice, whatever its method, unless
	// the caller says otherwise. Default false: the method decides.
	Idempotent bool
	Breaker    resilience.BreakerConfig
	// Balancer is how an endpoint is chosen. Default least_request.
	Balancer  balancer.Config
	Transport transport.Config
	// Sign, if not nil, signs each attempt; see [transport.Options]. Default nil.
	Sign func(ctx context.Context, r *http.Request, body *lift.Body) error
	// WholeBody, if positive, makes Lift read the request's whole body, up to so many
	// bytes, before it sends anything; see [resilience.Whole]. Default 0.
	WholeBody int64
	// Adapt, if not nil, wraps each attempt's connection: it translates the request for
	// the endpoint, and the answer for the caller. Default nil.
	Adapt lift.AttemptPolicy
	// Warm is how many connections to each endpoint are opened before the first
	// call and after a thaw. Default 0.
	Warm int
}

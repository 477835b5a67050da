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

// ServiceConfig is everything that the mesh wants to know of one service. A
// zero field means its default.
type ServiceConfig struct {
	// Name is what callers call the service, in any case; see [lift.ServiceName].
	Name string
	// From says where Registry learns its endpoints (static, dns, ...), for people.
	From string
	// Marks tell a reload what has changed. Default: everything may have.
	Marks Marks
	// Broken, if not nil, is what is wrong with this service's configuration.
	// Its calls fail with it; other services are not touched.
	Broken error
	// Registry tells who serves it, under the name Lookup ("" is Name).
	Registry registry.Registry
	Lookup   string
	// Timeout is for the whole call, retries included. Default 2 s. A call's own
	// Timeout takes its place.
	Timeout time.Duration
	// AttemptTimeout is for one attempt, up to the answer's head. 0 is the default: half
	// of the call's own Timeout, or of Timeout above where it has none.
	AttemptTimeout time.Duration
	Retry          resilience.RetryConfig
	// Idempotent: every call may be sent twice, whatever its method, unless the caller
	// says otherwise. Default false: the method says it.
	Idempotent bool
	Breaker    resilience.BreakerConfig
	// Balancer is how an endpoint is chosen. Default least_request.
	Balancer  balancer.Config
	Transport transport.Config
	// Sign, if not nil, signs each attempt; see [transport.Options]. Default nil.
	Sign func(ctx context.Context, r *http.Request, body *lift.Body) error
	// WholeBody, if positive, has the request's body read whole before anything is
	// sent, up to so many bytes; see [resilience.Whole]. Default 0.
	WholeBody int64
	// Adapt, if not nil, stands around each attempt's connection: it makes the request
	// one that the endpoint understands, and the answer one that the caller does. Default nil.
	Adapt lift.AttemptPolicy
	// Warm is how many connections to each endpoint are opened before the first
	// call and after a thaw. Default 0.
	Warm int
}

package sigv4

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

const (
	// early is how long before their expiry credentials are renewed, as in AWS's SDKs:
	// a signed request needs time to arrive.
	early = 5 * time.Minute
	// fetchLimit is the time for one renewal. retryAfter is the pause after a failed
	// renewal while the old credentials are still valid.
	fetchLimit = 5 * time.Second
	retryAfter = 10 * time.Second
)

// SourceOptions configures a [Source]. A zero field means its default.
type SourceOptions struct {
	// Lookup reads the environment, as [os.LookupEnv] does. Default: an empty
	// environment.
	Lookup func(name string) (string, bool)
	// Now reads the clocks; credentials expire by the wall clock. Default [lift.Now].
	Now func() lift.Instant
	// Log gets a line when a renewal fails while the old credentials are still valid.
	// Default: no log.
	Log *slog.Logger
}

// Source supplies credentials: those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, else those of the endpoint that AWS_CONTAINER_CREDENTIALS_FULL_URI
// or _RELATIVE_URI names (ECS, EKS, Lambda's SnapStart), which it renews. The variables
// are read at each use. Safe for concurrent use.
type Source struct {
	o     SourceOptions
	fetch func(ctx context.Context) (Credentials, error) // tests replace it

	mu      sync.Mutex
	last    Credentials
	got     lift.Instant  // when last was received
	renewal chan struct{} // closed when the running renewal has ended; nil: none is running
	tried   lift.Instant  // when the last failed renewal ended
	failed  error
}

// NewSource returns a source. It reads and sends nothing until it is used.
func NewSource(o SourceOptions) *Source {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	if o.Now == nil {
		o.Now = lift.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{o: o}
	s.fetch = func(ctx context.Context) (Credentials, error) { return fromContainer(ctx, o.Lookup) }
	return s
}

// Credentials returns the credentials to sign with now. It waits for a renewal, until
// ctx ends, only if it has no valid credentials: the old ones are valid until they
// expire by the wall clock, freezes included. An error is [lift.Misconfigured], says
// what is missing, and contains no secret.
func (s *Source) Credentials(ctx context.Context) (Credentials, error) {
	if c, ok, err := fromVariables(s.o.Lookup); ok || err != nil {
		return c, err
	}
	if _, ok := s.o.Lookup(fullURI); !ok {
		if _, ok := s.o.Lookup(relativeURI); !ok {
			return Credentials{}, fmt.Errorf("%w: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the function or the task a role%s", lift.Misconfigured, s.elsewhere())
		}
	}
	for first := true; ; first = false {
		c, wait, err := s.held(first)
		if wait == nil {
			return c, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Credentials{}, fmt.Errorf("%w: waited for credentials: %w", lift.Misconfigured, context.Cause(ctx))
		}
	}
}

// elsewhere names sources of credentials in the environment that Lift does not read.
func (s *Source) elsewhere() string {
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		if v, _ := s.o.Lookup(name); v != "" {
			return " (" + name + " is set, and not read here; on EKS, Pod Identity is)"
		}
	}
	return ""
}

// held returns the credentials at hand or, if they are not valid, the renewal to wait
// for. first says that a failed renewal may be tried once more.
func (s *Source) held(first bool) (Credentials, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	good := s.last.good(now.Wall)
	if good && (s.last.Expires.IsZero() || s.last.Expires.Sub(now.Wall) > early) {
		return s.last, nil, nil
	}
	due := first
	if good {
		due = s.failed == nil || now.Since(s.tried) >= retryAfter
	}
	if due && s.renewal == nil {
		s.renewal = make(chan struct{})
		go s.renew(s.renewal)
	}
	switch {
	case good:
		return s.last, nil, nil
	case s.renewal != nil:
		return Credentials{}, s.renewal, nil
	case s.failed != nil && s.last.KeyID != "":
		return Credentials{}, nil, fmt.Errorf("%w: the credentials expired at %s and cannot be renewed: %w", lift.Misconfigured, s.last.Expires.UTC().Format(time.RFC3339), s.failed)
	case s.failed != nil:
		return Credentials{}, nil, fmt.Errorf("%w: there are no credentials: %w", lift.Misconfigured, s.failed)
	default:
		return Credentials{}, nil, fmt.Errorf("%w: the credentials that the endpoint supplied had already expired at %s; is this clock right?", lift.Misconfigured, s.last.Expires.UTC().Format(time.RFC3339))
	}
}

// renew fetches credentials once; done is closed when it has ended.
func (s *Source) renew(done chan struct{}) {
	ctx, stop := context.WithTimeoutCause(context.Background(), fetchLimit, errors.New("no answer within "+fetchLimit.String()))
	defer stop()
	c, err := s.contained(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(done)
	s.renewal, s.failed = nil, err
	if err == nil {
		s.last, s.got = c, s.o.Now()
		return
	}
	s.tried = s.o.Now()
	if s.last.good(s.tried.Wall) {
		s.o.Log.Warn("AWS credentials cannot be renewed; the last ones serve until they expire", "expires", s.last.Expires, "error", err.Error())
	}
}

func (s *Source) contained(ctx context.Context) (c Credentials, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("panic while credentials were fetched, contained", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("a bug in Lift, contained; see the log")
		}
	}()
	return s.fetch(ctx)
}

// refused notes that AWS refused the credentials of that moment: the next call gets
// others, if there are any.
func (s *Source) refused(at lift.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.KeyID != "" && !s.got.Wall.After(at.Wall) {
		s.last.Expires = s.o.Now().Wall
	}
}

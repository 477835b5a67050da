package sigv4

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/liftmesh/lift"
)

var errRegion = errors.New("want a region's name, such as eu-west-1")

// Header fields that carry the signature.
const (
	authorization = "Authorization"
	dateField     = "X-Amz-Date"
	tokenField    = "X-Amz-Security-Token" //nolint:gosec // a field's name
	hashField     = "X-Amz-Content-Sha256"

	algorithm = "AWS4-HMAC-SHA256"
	unsigned  = "UNSIGNED-PAYLOAD"
)

// Config configures a [Signer]. A zero field means its default.
type Config struct {
	// Service is the signing name of the called service: [ExecuteAPI], [Lambda],
	// [Lattice] or [ServiceDiscovery]. Required.
	Service string
	// Region is the service's region. Default: the region in the request's Host, else
	// AWS_REGION, else AWS_DEFAULT_REGION.
	Region string
	// Source supplies the credentials and reads the environment variables. Required.
	Source *Source
	// Now reads the clocks; signatures have the wall clock's time. Default [lift.Now].
	Now func() lift.Instant
	// Log gets a line when AWS refuses a signature. Default: no log.
	Log *slog.Logger
}

// Signer signs requests to one service. Safe for concurrent use.
type Signer struct {
	Config
	sdk  *v4.Signer
	told atomic.Int64 // when a refusal was last logged, Unix ns
}

// New returns a signer.
func New(c Config) *Signer {
	if c.Now == nil {
		c.Now = lift.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Signer{Config: c, sdk: v4.NewSigner()}
}

// Sign puts a fresh signature into the head of a request, as transport.Options.Sign
// requires. It signs the method, Host, path, query, Content-Type, every X-Amz- field
// and, except for Lattice, the body, which must be in memory. It does not sign other
// fields, so that proxies may change them.
//
// Sign replaces a signature of the caller's, because it is for another host. Any other
// Authorization of the caller's is an error ([lift.InvalidCall]), and so is a query
// that signer and server may read in different ways. Without credentials or region the
// error is [lift.Misconfigured].
func (s *Signer) Sign(ctx context.Context, r *http.Request, body *lift.Body) error {
	if own := r.Header.Get(authorization); own != "" && !strings.HasPrefix(own, algorithm) {
		return fmt.Errorf("%w: the call has an Authorization of its own, and the service is signed by auth.sigv4; leave one of them out", lift.InvalidCall)
	}
	if err := checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	region, err := s.region(r.Host)
	if err != nil {
		return err
	}
	hash, err := s.payload(body)
	if err != nil {
		return err
	}
	c, err := s.Source.Credentials(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{authorization, dateField, tokenField, hashField} {
		r.Header.Del(name)
	}
	if hash == unsigned {
		r.Header.Set(hashField, unsigned)
	}
	signed := http.Header{}
	for name, values := range r.Header {
		if name == "Content-Type" || name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-") {
			signed[name] = values
		}
	}
	// A copy, because the SDK writes the query in its own way; without a scheme, or it
	// would sign another Host than the one that is sent.
	what := &http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Opaque: "//h" + canonicalPath(r.URL.EscapedPath()), RawQuery: r.URL.RawQuery}, Header: signed}
	if err := s.sdk.SignHTTP(ctx, aws.Credentials{AccessKeyID: c.KeyID, SecretAccessKey: c.Secret, SessionToken: c.Token}, what, hash, s.Service, region, s.Now().Wall); err != nil {
		return fmt.Errorf("the SDK's signer: %w", err)
	}
	for _, name := range []string{authorization, dateField, tokenField} {
		if v := signed.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	return nil
}

func (s *Signer) region(host string) (string, error) {
	if s.Region != "" {
		return s.Region, nil
	}
	if region := RegionOf(host); region != "" {
		return region, nil
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region, _ := s.Source.o.Lookup(name); region != "" {
			return region, nil
		}
	}
	return "", fmt.Errorf("%w: the region is not known: the host %s does not contain it; set auth.region or AWS_REGION", lift.Misconfigured, host)
}

// payload returns the hash of the body, or the word for an unsigned one.
func (s *Signer) payload(body *lift.Body) (string, error) {
	if s.Service == Lattice {
		return unsigned, nil // Lattice accepts nothing else, according to its documentation
	}
	content, whole := body.Complete()
	if !whole {
		return "", fmt.Errorf("%w: the body has not arrived whole, and the signature covers all of it", lift.InvalidCall)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// canonicalPath returns an escaped path without empty and dot segments, as it must be
// signed (RFC 3986, section 5.2.4, and AWS's own merging of slashes).
func canonicalPath(p string) string {
	if p == "" || p == "*" {
		return "/"
	}
	clean := path.Clean(p)
	if last := p[strings.LastIndexByte(p, '/')+1:]; clean != "/" && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean
}

// checkQuery refuses a query that Go and other servers read in different ways.
func checkQuery(raw string) error {
	if strings.Contains(raw, ";") {
		return fmt.Errorf("%w: the query contains a semicolon, which some servers read as an ampersand, so it cannot be signed; write %%3B", lift.InvalidCall)
	}
	if _, err := url.ParseQuery(raw); err != nil {
		return fmt.Errorf("%w: the query is not correctly percent-encoded, so it cannot be signed; correct the encoding", lift.InvalidCall)
	}
	return nil
}

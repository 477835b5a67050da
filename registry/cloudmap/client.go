package cloudmap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
)

const (
	// target names an operation: AWS's JSON 1.1 protocol.
	target = "Route53AutoNaming_v20170314."
	// maxResults is the most instances that the API returns.
	maxResults = 1000
	// maxAnswer limits how much of an answer is read, in bytes: 1,000 instances with 30
	// attributes of 1,279 bytes are 38 MB, but instances commonly have a handful.
	maxAnswer = 16 << 20
)

// apiError is an answer of the API whose status is not 200.
type apiError struct {
	status        int
	kind, message string
	remedy        string
}

func (e *apiError) Error() string {
	s := fmt.Sprintf("Cloud Map answers %d %s: %s", e.status, e.kind, e.message)
	if e.remedy != "" {
		s += "; " + e.remedy
	}
	return s
}

// discover asks for the whole set.
func (r *Registry) discover(ctx context.Context, service string) (answer, error) {
	text, err := r.exchange(ctx, "DiscoverInstances", service, struct {
		NamespaceName, ServiceName string
		HealthStatus               Health
		MaxResults                 int
		QueryParameters            map[string]string `json:",omitempty"`
	}{r.Namespace, service, r.Health, maxResults, r.Attributes})
	if err != nil {
		return answer{}, err
	}
	a, err := parse(text, r.Port)
	if err != nil {
		return answer{}, fmt.Errorf("Cloud Map, %s in %s: %w", service, r.Namespace, err)
	}
	return a, nil
}

// latest asks whether the set has changed.
func (r *Registry) latest(ctx context.Context, service string) (int64, error) {
	text, err := r.exchange(ctx, "DiscoverInstancesRevision", service, struct{ NamespaceName, ServiceName string }{r.Namespace, service})
	if err != nil {
		return 0, err
	}
	return parseRevision(text)
}

// revisions reports whether it makes sense to ask for revisions.
func (r *Registry) revisions() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.mute
}

// gaveUp reports whether err means that the API will never return revisions: because a
// fake has none, or the role may not ask. From then on Lift asks for the whole set
// instead.
func (r *Registry) gaveUp(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		return false
	}
	unknown := e.status == http.StatusNotFound || e.status == http.StatusNotImplemented ||
		slices.ContainsFunc([]string{"UnknownOperation", "InvalidAction", "AccessDenied"}, func(kind string) bool { return strings.HasPrefix(e.kind, kind) })
	if unknown {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mute = true
	}
	return unknown
}

// exchange sends one question and returns the answer's text.
func (r *Registry) exchange(ctx context.Context, operation, service string, question any) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(r.Endpoint)
	if err != nil {
		return nil, errors.New("Cloud Map: the endpoint is not a URL")
	}
	u.Path = "/"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target+operation)
	req.Header["User-Agent"] = nil
	began := r.Now()
	if r.Signer != nil {
		if err := r.Signer.Sign(ctx, req, lift.BytesBody(body)); err != nil {
			return nil, fmt.Errorf("Cloud Map: the question cannot be signed: %w", err)
		}
	}
	resp, err := r.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no answer within " + limit.String())
		}
		return nil, fmt.Errorf("Cloud Map at %s: %w", u.Host, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("Cloud Map at %s: the answer broke off: %w", u.Host, err)
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("Cloud Map at %s: the answer has more than 16 MiB; narrow it down by cloudmap.attributes", u.Host)
	case resp.StatusCode == http.StatusOK:
		return text, nil
	}
	return nil, r.refusal(resp, operation, service, text, began)
}

// refusal says what an answer whose status is not 200 means, and what to do.
func (r *Registry) refusal(resp *http.Response, operation, service string, text []byte, began lift.Instant) error {
	e := &apiError{status: resp.StatusCode, message: "no reason given"}
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) == nil && said.Message != "" {
		e.message = clip(said.Message)
	}
	e.kind, _, _ = strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	if e.kind == "" {
		e.kind = clip(said.Type[strings.LastIndexByte(said.Type, '#')+1:])
	}
	why := ""
	if r.Signer != nil {
		why = r.Signer.Refused(resp.StatusCode, resp.Header.Get("Date"), e.kind, text, began)
	}
	switch {
	case why != "":
		e.remedy = why
	case e.kind == "NamespaceNotFound":
		e.remedy = "is cloudmap.namespace " + strconv.Quote(r.Namespace) + " right, and the region?"
	case e.kind == "ServiceNotFound":
		e.remedy = "is cloudmap.service " + strconv.Quote(service) + " right, and in that namespace?"
	case strings.HasPrefix(e.kind, "AccessDenied"):
		e.remedy = "allow the role servicediscovery:" + operation
	case e.kind == "RequestLimitExceeded":
		e.remedy = "all of this account ask too often; raise the quota"
	}
	return e
}

func clip(s string) string {
	if len(s) > 120 {
		s = s[:120] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

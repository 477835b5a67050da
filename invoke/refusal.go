package invoke

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/liftmesh/lift"
)

// The fields of Lambda's API.
const (
	contentType        = "Content-Type"
	functionErrorField = "X-Amz-Function-Error"
	versionField       = "X-Amz-Executed-Version"
	requestField       = "X-Amzn-Requestid"
	kindField          = "X-Amzn-Errortype"
	traceField         = "X-Amzn-Trace-Id"
	retryField         = "Retry-After"
)

func jsonType() lift.Field { return lift.Field{Name: contentType, Value: "application/json"} }

// about returns the fields of an answer with JSON content: its type, more, and those
// that identify the invocation.
func about(resp *lift.Response, more ...lift.Field) []lift.Field {
	return append(append([]lift.Field{jsonType()}, more...), fieldsOf(resp, versionField, requestField)...)
}

func fieldsOf(resp *lift.Response, names ...string) (found []lift.Field) {
	for _, name := range names {
		if v := lift.Get(resp.Header, name); v != "" {
			found = append(found, lift.Field{Name: name, Value: v})
		}
	}
	return found
}

// ranNothing returns the kinds of 5xx which mean that Lambda found no environment to
// run the function in. Source: the errors of Invoke in its API reference.
func ranNothing() []string {
	return []string{"EC2ThrottledException", "EC2UnexpectedException", "ENILimitReachedException", "SubnetIPAddressLimitReachedException", "ResourceNotReadyException"}
}

// refused turns an answer of the API other than 200 into the caller's answer or error.
func (cfg *Config) refused(a *lift.Attempt, resp *lift.Response, content []byte) (*lift.Response, error) {
	kind, _, _ := strings.Cut(lift.Get(resp.Header, kindField), ":")
	pass := resp.Status == http.StatusTooManyRequests || resp.Status >= 500
	if resp.Status < 500 || slices.Contains(ranNothing(), kind) {
		a.Reached = lift.NotReached // Lambda was, the function was not
	}
	if pass {
		return &lift.Response{Status: resp.Status, Header: about(resp, fieldsOf(resp, kindField, retryField)...), Body: lift.BytesBody(content)}, nil
	}
	var said struct{ Message string }
	if json.Unmarshal(content, &said) != nil || said.Message == "" {
		said.Message = "no reason given"
	}
	cause := fmt.Errorf("lambda answers %d %s: %s", resp.Status, kind, clip(said.Message))
	switch {
	case resp.Status == http.StatusRequestEntityTooLarge:
		return nil, failed(a, lift.TooLarge, cause)
	case kind == "InvalidRequestContentException" || kind == "UnsupportedMediaTypeException":
		return nil, failed(a, lift.InvalidCall, cause)
	}
	return nil, failed(a, lift.Misconfigured, fmt.Errorf("function %s: %w; %s", cfg.Function, cause, cfg.remedy(resp.Status, kind)))
}

func (cfg *Config) remedy(status int, kind string) string {
	switch {
	case status == http.StatusNotFound:
		return "is its name right, its version or alias, the region?"
	case kind == "AccessDeniedException":
		return "allow the role lambda:InvokeFunction on it, and on the alias that is called"
	case status == http.StatusForbidden:
		return "the log says what is wrong with the signature"
	case status == http.StatusConflict:
		return "it is being made or changed; see its State"
	default:
		return "see the function's settings"
	}
}

package invoke

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
)

func isJSON(b []byte) bool { return json.Valid(b) }

// result reads what a function returned, in the form of the payload format 2.0: an
// object with statusCode, or anything else, which then is the content of a 200.
func result(payload []byte, method string) (*lift.Response, error) {
	var got struct {
		StatusCode        json.RawMessage            `json:"statusCode"`
		Headers           map[string]json.RawMessage `json:"headers"`
		MultiValueHeaders map[string][]string        `json:"multiValueHeaders"`
		Cookies           []string                   `json:"cookies"`
		Body              json.RawMessage            `json:"body"`
		IsBase64Encoded   bool                       `json:"isBase64Encoded"`
	}
	if !isJSON(payload) {
		return nil, errors.New("it is not JSON")
	}
	first := bytes.TrimLeft(payload, " \t\r\n")
	if first[0] == '{' {
		if err := json.Unmarshal(payload, &got); err != nil {
			if what, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				return nil, fmt.Errorf("%s is %s there", what.Field, what.Value)
			}
			return nil, errors.New("it cannot be read")
		}
	}
	if got.StatusCode == nil {
		return inferred(payload, method), nil
	}
	status, err := strconv.Atoi(strings.Trim(string(got.StatusCode), `"`))
	if err != nil || status < 200 || status > 599 {
		return nil, fmt.Errorf("statusCode is %s; want 200 to 599", clip(string(got.StatusCode)))
	}
	content, err := contentOf(got.Body, got.IsBase64Encoded)
	if err != nil {
		return nil, err
	}
	resp := &lift.Response{Status: status}
	for _, name := range sorted(got.Headers) {
		if err := add(resp, name, scalar(got.Headers[name])); err != nil {
			return nil, err
		}
	}
	for _, name := range sorted(got.MultiValueHeaders) {
		for _, value := range got.MultiValueHeaders[name] {
			if err := add(resp, name, value); err != nil {
				return nil, err
			}
		}
	}
	for _, cookie := range got.Cookies {
		if err := add(resp, "Set-Cookie", cookie); err != nil {
			return nil, err
		}
	}
	if !lift.Has(resp.Header, contentType) {
		resp.Header = append(resp.Header, jsonType())
	}
	resp.Body = body(status, method, content)
	return resp, nil
}

// inferred is the answer of a function that returns no statusCode: a text as it is,
// else JSON.
func inferred(payload []byte, method string) *lift.Response {
	content := payload
	var text string
	if json.Unmarshal(payload, &text) == nil && bytes.HasPrefix(bytes.TrimSpace(payload), []byte(`"`)) {
		content = []byte(text)
	}
	return &lift.Response{Status: http.StatusOK, Header: []lift.Field{jsonType()}, Body: body(http.StatusOK, method, content)}
}

// body is what of the content may follow such a head.
func body(status int, method string, content []byte) *lift.Body {
	if method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
		content = nil
	}
	return lift.BytesBody(content)
}

// contentOf reads the field body: a text, or, as a courtesy, JSON that was not made one.
func contentOf(raw json.RawMessage, encoded bool) ([]byte, error) {
	var text string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, nil
	case raw[0] != '"':
		return raw, nil
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, errors.New("body is no text")
	}
	if !encoded {
		return []byte(text), nil
	}
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("isBase64Encoded is true, and body is not base64")
	}
	return content, nil
}

// add adds a field, unless it is one between hops. What would end a line is an error.
func add(resp *lift.Response, name, value string) error {
	if between(strings.ToLower(name)) {
		return nil
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return fmt.Errorf("a header's name is %q", clip(name))
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("header %s holds control bytes", name)
	}
	resp.Header = append(resp.Header, lift.Field{Name: http.CanonicalHeaderKey(name), Value: value})
	return nil
}

// scalar is a header's value: a text, or a number or truth value as it is written.
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

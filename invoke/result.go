package invoke

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

func isJSON(b []byte) bool { return json.Valid(b) }

// result reads what a function returned. An object with the member statusCode is an
// HTTP response in the payload format 2.0; any other JSON is the content of a 200. An
// error says which member is malformed.
//
// Members match exactly, as AWS's do, and of two with the same name the last counts,
// as in JSON.parse. A struct would not do: encoding/json matches its fields in any
// case, so that a function's own data could be taken for a response.
func result(payload []byte, method string) (*lift.Response, error) {
	switch {
	case len(payload) == 0:
		return nil, errors.New("it is empty; want JSON")
	case !isJSON(payload):
		return nil, errors.New("it is not JSON")
	case !utf8.Valid(payload):
		return nil, errors.New("it is not UTF-8, which JSON has to be")
	}
	var member map[string]json.RawMessage
	if bytes.TrimLeft(payload, " \t\r\n")[0] == '{' {
		if err := json.Unmarshal(payload, &member); err != nil {
			return nil, fmt.Errorf("it cannot be read: %w", err)
		}
	}
	code, ok := member["statusCode"]
	if !ok {
		return inferred(payload, method), nil
	}
	status, ok := statusOf(code)
	if !ok {
		return nil, fmt.Errorf("statusCode is %s; want a whole number from 200 to 599", clip(string(code)))
	}
	content, err := contentOf(member["body"], member["isBase64Encoded"])
	if err != nil {
		return nil, err
	}
	header, err := headerOf(member)
	if err != nil {
		return nil, err
	}
	return &lift.Response{Status: status, Header: header, Body: body(status, method, content)}, nil
}

// malformed is the answer for a function whose result is malformed. It has the form of
// a function's error, and like one it is final: the function has run.
func (cfg *Config) malformed(resp *lift.Response, method string, cause error) *lift.Response {
	content, err := json.Marshal(map[string]string{
		"errorType":    malformedResult,
		"errorMessage": fmt.Sprintf("function %s returned a malformed HTTP response: %s", cfg.Function, cause),
	})
	if err != nil {
		panic(err) // two strings; the caller contains it
	}
	return &lift.Response{
		Status: http.StatusBadGateway,
		Header: about(resp, lift.Field{Name: functionErrorField, Value: malformedResult}),
		Body:   body(http.StatusBadGateway, method, content),
	}
}

// malformedResult is the X-Amz-Function-Error of a malformed result. Lambda's own
// values are Handled and Unhandled.
const malformedResult = "MalformedResult"

// inferred is the answer of a function that returned no statusCode: a string as its
// text, other JSON as it is.
func inferred(payload []byte, method string) *lift.Response {
	content := payload
	if text, ok := textOf(bytes.TrimSpace(payload)); ok {
		content = []byte(text)
	}
	return &lift.Response{Status: http.StatusOK, Header: []lift.Field{jsonType()}, Body: body(http.StatusOK, method, content)}
}

// body is the part of the content that may follow such a head.
func body(status int, method string, content []byte) *lift.Body {
	if method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
		content = nil
	}
	return lift.BytesBody(content)
}

// statusOf reads statusCode: a number without a fraction, or three digits as a string.
func statusOf(raw json.RawMessage) (int, bool) {
	text, ok := textOf(raw)
	var status float64
	var err error
	if ok {
		var n uint64
		n, err = strconv.ParseUint(text, 10, 16)
		status = float64(n)
	} else {
		status, err = strconv.ParseFloat(string(raw), 64)
	}
	return int(status), err == nil && (!ok || len(text) == 3) && status >= 200 && status <= 599 && status == math.Trunc(status)
}

// contentOf reads body: a string, or, as a courtesy, JSON that was not made one.
func contentOf(raw, encoded json.RawMessage) ([]byte, error) {
	switch string(encoded) {
	case "", "null", "false", "true":
	default:
		return nil, fmt.Errorf("isBase64Encoded is %s; want true or false", clip(string(encoded)))
	}
	text, ok := textOf(raw)
	switch {
	case missing(raw):
		return nil, nil
	case string(encoded) != "true" && ok:
		return []byte(text), nil
	case string(encoded) != "true":
		return raw, nil
	}
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !ok {
		return nil, errors.New("isBase64Encoded is true, but body is not base64")
	}
	return content, nil
}

// missing reports whether a member is not there, or null.
func missing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// textOf is a JSON string's text. ok is false for any other JSON.
func textOf(raw json.RawMessage) (text string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil
	return text, ok
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

package invoke

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// event is a request in the payload format 2.0 of API Gateway's HTTP APIs and of
// function URLs, by AWS's documentation.
type event struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        requestContext    `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

const defaultRoute = "$default"

// event returns the event for a, whose body is content. Path and query are as they
// were sent, not decoded. Fields of one name are joined by commas, hop-by-hop fields
// stay out, and Cookie goes into cookies. Content is base64 if it is not UTF-8 or has a
// Content-Encoding.
func (cfg *Config) event(a *lift.Attempt, content []byte) []byte {
	path, query, _ := strings.Cut(a.Path, "?")
	if path == "" {
		path = "/"
	}
	method := a.Method
	if method == "" {
		method = http.MethodGet
	}
	now := cfg.Now().Wall.UTC()
	e := event{
		Version: "2.0", RouteKey: defaultRoute, RawPath: path, RawQueryString: query,
		Headers: map[string]string{"host": a.Call.Service}, QueryStringParameters: parameters(query),
		RequestContext: requestContext{
			AccountID: "anonymous", APIID: "lift", DomainName: a.Call.Service, DomainPrefix: a.Call.Service,
			HTTP:      httpContext{Method: method, Path: path, Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", UserAgent: text(lift.Get(a.Header, "User-Agent"))},
			RequestID: fmt.Sprintf("%016x%016x", cfg.Rand(), cfg.Rand()), RouteKey: defaultRoute, Stage: defaultRoute,
			Time: now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
	}
	for _, f := range a.Header {
		name := strings.ToLower(f.Name)
		f.Value = text(f.Value)
		switch {
		case between(name) || name == "host":
		case name == "cookie":
			for one := range strings.SplitSeq(f.Value, ";") {
				if one = strings.TrimSpace(one); one != "" {
					e.Cookies = append(e.Cookies, one)
				}
			}
		default:
			if old, ok := e.Headers[name]; ok {
				f.Value = old + "," + f.Value
			}
			e.Headers[name] = f.Value
		}
	}
	if a.Body != nil {
		e.Headers["content-length"] = strconv.Itoa(len(content))
	}
	if utf8.Valid(content) && !lift.Has(a.Header, "Content-Encoding") {
		e.Body = string(content)
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(content), true
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // the event is not a page, and escapes count towards the limit
	if err := enc.Encode(&e); err != nil {
		panic(err) // cannot happen: strings, a number and a bool; the caller contains it
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// text is a field's value as JSON can hold it: UTF-8 as it is, other bytes read as
// Latin-1, which is what fields held before.
func text(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

// parameters returns the query's parameters, decoded. Those of one name are joined by
// commas.
func parameters(query string) map[string]string {
	if query == "" {
		return nil
	}
	all := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		switch old, ok := all[name]; {
		case pair == "":
		case ok:
			all[name] = old + "," + value
		default:
			all[name] = value
		}
	}
	return all
}

// unescape decodes s, or returns it as it is where it is not validly encoded.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// between reports whether a field, its name in lower case, is hop-by-hop (RFC 9110,
// section 7.6.1) or frames the content.
func between(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length":
		return true
	}
	return false
}

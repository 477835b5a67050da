//go:build e2e && linux

package e2e_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4/sigv4test"
	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/emulator"
	"github.com/liftmesh/lift/invoke/invoketest"
	"github.com/liftmesh/lift/sdk"
)

var awsKey = sigv4test.Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Token: "a-session-token"}

func awsEnv() map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": awsKey.ID, "AWS_SECRET_ACCESS_KEY": awsKey.Secret, "AWS_SESSION_TOKEN": awsKey.Token, "AWS_REGION": "eu-west-1"}
}

// startGuarded starts a server that verifies signatures. Its clock is ahead of the
// machine's by what is stored in ahead.
func startGuarded(t *testing.T, service string, next http.Handler) (g *sigv4test.Guard, addr string, ahead *atomic.Int64) {
	t.Helper()
	ahead = new(atomic.Int64)
	g = &sigv4test.Guard{Next: next, Verifier: sigv4test.Verifier{
		Service: service, Region: "eu-west-1", Keys: func() []sigv4test.Key { return []sigv4test.Key{awsKey} },
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	}}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return g, s.Listener.Addr().String(), ahead
}

// startSigning is startSidecar with credentials.
func startSigning(t *testing.T, config string) *sidecarProcess {
	t.Helper()
	command := []string{"env"}
	for name, value := range awsEnv() {
		command = append(command, name+"="+value)
	}
	return launchSidecar(t, filepath.Join(t.TempDir(), "lift.sock"), config, append(command, bin.TestExtension)...).serving(t)
}

func fetchOrders(t *testing.T, c *sdk.Client, method, path string, body io.Reader) (status int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, patience), method, "http://orders"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content), resp.Header
}

// Odd paths and queries, bodies that are here and that stream, and a session token.
func TestSignedCalls(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"execute-api", "lambda", "vpc-lattice-svcs"} {
		_, addr, _ := startGuarded(t, service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
		c := startSigning(t, fmt.Sprintf("services: {orders: {from: url, url: \"http://%s/prod%%20x\", auth: {sigv4: %s}}}", addr, service)).dial(t)
		for _, path := range []string{"/", "/a%2Fb//c/./d?b=2&a=%20&a=1&empty&x=%C3%BC", "/a:b@c,d;e"} {
			for name, body := range map[string]io.Reader{"none": nil, "here": strings.NewReader("here"), "streams": io.MultiReader(strings.NewReader(strings.Repeat("x", 200<<10)))} {
				status, text, _ := fetchOrders(t, c, http.MethodPost, path, body)
				if want := map[string]int{"none": 0, "here": 4, "streams": 200 << 10}[name]; status != 200 || len(text) != want {
					t.Errorf("%s %s, body %s: %d %.300s", service, path, name, status, text)
				}
			}
		}
	}
}

// AWS's front ends speak TLS, and HTTP/2 to whoever asks for it.
func TestSignedOverTLS(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		g := &sigv4test.Guard{
			Next:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }),
			Verifier: sigv4test.Verifier{Service: "execute-api", Region: "eu-west-1", Keys: func() []sigv4test.Key { return []sigv4test.Key{awsKey} }},
		}
		s := httptest.NewUnstartedServer(g)
		s.EnableHTTP2 = h2
		s.StartTLS()
		t.Cleanup(s.Close)
		ca := filepath.Join(t.TempDir(), "ca.pem")
		write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
		c := startSigning(t, fmt.Sprintf("services: {orders: {from: url, url: \"%s/prod\", tls: {ca: %s}, auth: {sigv4: execute-api}}}", s.URL, ca)).dial(t)
		for _, body := range []io.Reader{nil, strings.NewReader("here"), io.MultiReader(strings.NewReader(strings.Repeat("x", 200<<10)))} {
			status, text, _ := fetchOrders(t, c, http.MethodPost, "/a%2Fb//c?b=2&a=%20&a=1", body)
			if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]; status != 200 || text != want {
				t.Errorf("%s: %d %.300s", want, status, text)
			}
		}
	}
}

// Each attempt has a signature of its own time.
func TestRetryIsSignedAnew(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	g, addr, _ := startGuarded(t, "execute-api", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			<-r.Context().Done() // hangs
		}
	}))
	c := startSigning(t, fmt.Sprintf("services: {orders: {from: url, url: \"http://%s\", auth: {sigv4: execute-api}, timeout: 10s, attempt_timeout: 1100ms}}", addr)).dial(t)
	if status, text, _ := fetchOrders(t, c, http.MethodGet, "/", nil); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if seen := g.Seen(); len(seen) != 2 || seen[0] == seen[1] {
		t.Errorf("signatures %q", seen)
	}
}

// A clock that is wrong is told, with how much, and the answer goes on as it came.
func TestClockSkewIsTold(t *testing.T) {
	t.Parallel()
	_, addr, ahead := startGuarded(t, "execute-api", http.NotFoundHandler())
	ahead.Store(int64(10 * time.Minute))
	s := startSigning(t, fmt.Sprintf("services: {orders: {from: url, url: \"http://%s\", auth: {sigv4: execute-api}, retry: {attempts: 1}}}", addr))
	c := s.dial(t)
	for range 6 { // and opens no breaker
		if status, text, header := fetchOrders(t, c, http.MethodGet, "/", nil); status != 403 || !strings.Contains(text, "Signature expired") || header.Get("X-Amzn-Errortype") != "InvalidSignatureException" {
			t.Errorf("%d %s %v", status, text, header)
		}
	}
	waitFor(t, "the log says why", func() bool {
		// An answer's Date has whole seconds.
		return s.out.has("this clock is 10m0s behind AWS's") || s.out.has("this clock is 9m59s behind AWS's")
	})
	if n := strings.Count(s.out.String(), "behind AWS's"); n != 1 {
		t.Errorf("told %d times", n)
	}
	if strings.Contains(s.out.String(), awsKey.Secret) || strings.Contains(s.out.String(), awsKey.Token) {
		t.Error("a secret is in the log")
	}
}

// Thawed hours later, an environment signs by the time that it is, with credentials
// that were renewed.
func TestThawIsSignedAnew(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	g, addr, ahead := startGuarded(t, "execute-api", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"instance":"gate"}`) }))
	role := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "a secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		asked.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]string{"AccessKeyId": awsKey.ID, "SecretAccessKey": awsKey.Secret, "Token": awsKey.Token, "Expiration": g.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	}))
	defer role.Close()
	e := startLambda(t, fmt.Sprintf("services: {orders: {from: url, url: \"http://%s\", auth: {sigv4: execute-api, region: eu-west-1}}}\n", addr), func(s *setUp) {
		s.ExtensionEnv["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = role.URL + "/2021-04-23/credentials"
		s.ExtensionEnv["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "a secret"
		s.ExtensionEnv["AWS_ACCESS_KEY_ID"], s.ExtensionEnv["AWS_SECRET_ACCESS_KEY"] = "", "" // as with SnapStart
	})
	e.works()
	if n := asked.Load(); n != 1 {
		t.Errorf("the credentials' endpoint was asked %d times", n)
	}
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	const gap = 3 * time.Hour
	ahead.Store(int64(gap))
	if err := e.Thaw(emulator.Gap{Length: gap, MonotonicStands: true}); err != nil {
		t.Fatal(err)
	}
	e.works()
	if n := asked.Load(); n != 2 {
		t.Errorf("after the thaw the credentials' endpoint was asked %d times in all", n)
	}
	seen := g.Seen()
	first, _ := time.Parse("20060102T150405Z", strings.Fields(seen[0])[0])
	last, _ := time.Parse("20060102T150405Z", strings.Fields(seen[len(seen)-1])[0])
	if d := last.Sub(first); d < gap || d > gap+time.Minute {
		t.Errorf("signed %s apart: %q", d, seen)
	}
}

// A function that runs in another environment, called by its name.
func TestLambdaFunction(t *testing.T) {
	t.Parallel()
	api := &invoketest.API{}
	_, addr, _ := startGuarded(t, "lambda", api)
	callee := startLambda(t, "services: {orders: {from: static, endpoints: [\"127.0.0.1:1\"]}}\n", nil)
	api.Put("web", func(_ context.Context, payload []byte) ([]byte, string) {
		var event struct{ RawPath, Body string }
		if json.Unmarshal(payload, &event) != nil || event.RawPath == "/throws" {
			return []byte(`{"errorMessage":"boom","errorType":"Error"}`), "Unhandled"
		}
		switch event.RawPath {
		case "/malformed":
			return []byte(`{"statusCode":200,"headers":["id"]}`), ""
		case "/table":
			return []byte(`{"headers":["id"],"rows":[]}`), ""
		}
		answer, _ := json.Marshal(map[string]any{"statusCode": 201, "headers": map[string]string{"x-path": event.RawPath}, "body": event.Body})
		return answer, ""
	})
	s := startSigning(t, fmt.Sprintf(`services:
  orders: {from: lambda, function: "arn:aws:lambda:eu-west-1:123456789012:function:orders:live", payload: raw, timeout: 10s, lambda: {endpoint: "http://%[1]s"}}
  web: {from: lambda, function: web, lambda: {endpoint: "http://%[1]s"}, timeout: 10s}
  none: {from: lambda, function: none, lambda: {endpoint: "http://%[1]s"}}
`, addr))
	api.Put("arn:aws:lambda:eu-west-1:123456789012:function:orders:live", func(ctx context.Context, payload []byte) ([]byte, string) {
		res, err := callee.Invoke(ctx, payload)
		if err != nil {
			return []byte(`{}`), "Unhandled"
		}
		return res.Payload, res.FunctionError
	})
	c := s.dial(t)
	got, err := sdk.Post[order.Result](within(t, patience), c, "orders", "/", order.Order{})
	if err != nil || got.PID == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	send := func(method, service, path string) (int, string, http.Header) {
		t.Helper()
		req, _ := http.NewRequestWithContext(within(t, patience), method, "http://"+service+path, strings.NewReader("<body>"))
		resp, err := c.HTTPClient().Do(req)
		if err != nil {
			return 0, err.Error(), nil
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), resp.Header
	}
	post := func(service, path string) (int, string, http.Header) {
		t.Helper()
		return send(http.MethodPost, service, path)
	}
	if status, text, header := post("web", "/a/b"); status != 201 || text != "<body>" || header.Get("X-Path") != "/a/b" {
		t.Errorf("%d %s %v", status, text, header)
	}
	before := api.Runs()
	for range 6 {
		if status, text, header := post("web", "/throws"); status != 502 || !strings.Contains(text, "boom") || header.Get("X-Amz-Function-Error") != "Unhandled" {
			t.Errorf("%d %s %v", status, text, header)
		}
	}
	if n := api.Runs() - before; n != 6 {
		t.Errorf("the function that throws ran %d times for 6 calls", n)
	}
	before = api.Runs()
	for range 6 { // PUT: idempotent, so that only what the 502 means keeps it from being sent again
		if status, text, header := send(http.MethodPut, "web", "/malformed"); status != 502 || !strings.Contains(text, `headers is [\"id\"]; want an object`) || header.Get("X-Amz-Function-Error") != "MalformedResult" {
			t.Errorf("%d %s %v", status, text, header)
		}
	}
	if n := api.Runs() - before; n != 6 {
		t.Errorf("the function with malformed results ran %d times for 6 calls", n)
	}
	if status, text, _ := send(http.MethodPut, "web", "/table"); status != 200 || text != `{"headers":["id"],"rows":[]}` {
		t.Errorf("%d %s", status, text)
	}
	api.Throttle(1)
	before = api.Runs()
	if status, text, _ := post("web", "/again"); status != 201 || api.Runs() != before+1 {
		t.Errorf("throttled once: %d %s, ran %d times", status, text, api.Runs()-before)
	}
	if status, text, _ := post("none", "/"); status != 0 || !strings.Contains(text, "misconfigured") || !strings.Contains(text, "is its name right") {
		t.Errorf("%d %s", status, text)
	}
	if _, err := sdk.Get[struct{}](within(t, patience), c, "none", "/"); lift.CodeOf(err) != lift.Misconfigured {
		t.Error(err)
	}
}

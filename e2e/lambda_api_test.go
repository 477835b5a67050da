//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift/sdk"
)

// brokenAPI is an Extensions API that answers as a test says.
type brokenAPI struct {
	*httptest.Server

	mu       sync.Mutex
	asked    map[string]int // by the last part of the path
	how      map[string]http.HandlerFunc
	shutdown bool // next answers SHUTDOWN from now on
}

func startAPI(t *testing.T, register, next http.HandlerFunc) *brokenAPI {
	t.Helper()
	a := &brokenAPI{asked: map[string]int{}, how: map[string]http.HandlerFunc{"register": register, "next": next}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *brokenAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := filepath.Base(r.URL.Path)
	a.mu.Lock()
	a.asked[what]++
	how, over := a.how[what], a.shutdown
	a.mu.Unlock()
	switch {
	case what == "next" && over:
		fmt.Fprintf(w, `{"eventType":"SHUTDOWN","deadlineMs":%d,"shutdownReason":"spindown"}`, time.Now().Add(2*time.Second).UnixMilli())
	case how != nil:
		how(w, r)
	default:
		refuse(http.StatusNotFound, "")(w, r)
	}
}

func (a *brokenAPI) count(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[what]
}

// end has the API say SHUTDOWN, also to who waits.
func (a *brokenAPI) end() {
	a.mu.Lock()
	a.shutdown = true
	a.mu.Unlock()
	a.CloseClientConnections()
}

// Ways to answer.

func registers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Lambda-Extension-Identifier", "5f35ae12-0c0f-4141-ab77-a00bc047aa21")
	_, _ = fmt.Fprint(w, `{"functionName":"f","functionVersion":"1","handler":"h"}`)
}

func refuse(status int, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"errorMessage":"no","errorType":%q}`, kind)
	}
}

func talksNonsense(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "\x00<html>{[") }

// saysNothing answers with an empty body, as next must not.
func saysNothing(http.ResponseWriter, *http.Request) {}

// waits never answers.
func waits(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then is the context told that the client has gone
	<-r.Context().Done()
}

func hangsUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// An Extensions API that is broken in any way neither ends the process, which
// would end the environment, nor has it spin; what it has to say is said; calls
// are served all the time. Only a final 500 ends it, and SHUTDOWN does so in good
// order.
func TestBrokenExtensionsAPI(t *testing.T) {
	up := startUpstream(t, "A")
	for _, tt := range []struct {
		name           string
		register, next http.HandlerFunc
		log            string // part of a line
		quiet          bool   // one request, and no more
		ends           bool   // by itself, with an error
		deaf           bool   // no SHUTDOWN reaches it
	}{
		{name: "register 403", register: refuse(403, "Extension.TooManyExtensions"), log: "registering with Lambda", deaf: true},
		{name: "register 403 closed", register: refuse(403, "Extension.RegistrationClosed"), log: "registering with Lambda", quiet: true, deaf: true},
		{name: "register 500", register: refuse(500, ""), log: "registering with Lambda", deaf: true},
		{name: "register garbage", register: talksNonsense, log: "registering with Lambda", deaf: true},
		{name: "register nothing", register: waits, quiet: true, deaf: true},
		{name: "register hangs up", register: hangsUp, log: "registering with Lambda", deaf: true},
		{name: "next 403", register: registers, next: refuse(403, "Extension.UnknownExtensionIdentifier"), log: "asking Lambda for the next event"},
		{name: "next 500", register: registers, next: refuse(500, ""), log: "asking Lambda for the next event", ends: true},
		{name: "next garbage", register: registers, next: talksNonsense, log: "asking Lambda for the next event"},
		{name: "next empty", register: registers, next: saysNothing, log: "asking Lambda for the next event"},
		{name: "next waits", register: registers, next: waits, quiet: true},
		{name: "next hangs up", register: registers, next: hangsUp, log: "asking Lambda for the next event"},
		{name: "next an unknown event", register: registers, next: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"eventType":"RESTORE","more":[1]}`)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := startAPI(t, tt.register, tt.next)
			dir := socketDir(t)
			socket, config := filepath.Join(dir, "lift.sock"), filepath.Join(dir, "lift.yaml")
			write(t, config, "socket: "+socket+"\n"+ordersAt([]string{up.Addr}))
			c := startChild(t, []string{
				"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"),
				"AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
				"LIFT_CONFIG=" + config,
			}, bin.TestExtension)
			what := strings.Fields(tt.name)[0]
			waitFor(t, "it asks", func() bool { return api.count(what) > 0 })
			if tt.log != "" {
				c.out.find(tt.log)
			}
			if tt.ends {
				if code := c.exited(t); code <= 0 {
					t.Errorf("it ended with %d", code)
				}
				return
			}
			began, before := time.Now(), api.count(what)
			for time.Since(began) < 2*time.Second {
				waitFor(t, "calls are served", func() bool { return served(t, socket) })
			}
			asked := api.count(what) - before
			t.Logf("asked %d times in %s", asked, time.Since(began).Round(time.Millisecond))
			if most := int(10 * time.Since(began).Seconds()); asked > most || tt.quiet && asked > 0 {
				t.Errorf("it asked %d times in %s", asked, time.Since(began))
			}
			if !c.running() {
				t.Fatal("it has ended")
			}
			if tt.deaf {
				c.kill()
				_ = os.Remove(socket)
				return
			}
			api.end()
			if code := c.exited(t); code != 0 {
				t.Errorf("after SHUTDOWN it ended with %d", code)
			}
			if _, err := net.Dial("unix", socket); err == nil {
				t.Error("the socket still answers")
			}
		})
	}
}

// served reports whether a call through the sidecar is answered.
func served(t *testing.T, socket string) bool {
	client, err := sdk.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	resp, err := client.HTTPClient().Get("http://orders/")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// SHUTDOWN lets a running call end within its budget, and a call that takes too
// long does not hold the process.
func TestShutdownWithinTheBudget(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "A")
	events := make(chan string, 1)
	api := startAPI(t, registers, func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-events:
			_, _ = fmt.Fprint(w, e)
		case <-r.Context().Done():
		}
	})
	dir := socketDir(t)
	socket, config := filepath.Join(dir, "lift.sock"), filepath.Join(dir, "lift.yaml")
	write(t, config, "socket: "+socket+"\n"+ordersAt([]string{up.Addr}, "timeout: 1m", "attempt_timeout: 50s"))
	c := startChild(t, []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=f", "LIFT_CONFIG=" + config,
	}, bin.TestExtension)
	waitFor(t, "it serves", func() bool { return served(t, socket) })
	client, err := sdk.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ended := map[string]error{}
	var calls sync.WaitGroup
	var mu sync.Mutex
	before := up.Seen("GET")
	for _, path := range []string{"/?sleep=300ms", "/?sleep=1m"} {
		calls.Go(func() {
			resp, err := client.HTTPClient().Get("http://orders" + path)
			if err == nil {
				err = resp.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			ended[path] = err
		})
	}
	waitFor(t, "both are there", func() bool { return up.Seen("GET") == before+2 })
	began := time.Now()
	events <- fmt.Sprintf(`{"eventType":"SHUTDOWN","deadlineMs":%d,"shutdownReason":"spindown"}`, began.Add(2*time.Second).UnixMilli())
	if code := c.exited(t); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	took := time.Since(began)
	calls.Wait()
	t.Logf("SHUTDOWN took %s; the long call: %v", took, ended["/?sleep=1m"])
	if ended["/?sleep=300ms"] != nil || ended["/?sleep=1m"] == nil || took > 3*time.Second {
		t.Errorf("after %s: %v", took, ended)
	}
}

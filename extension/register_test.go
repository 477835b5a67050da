package extension_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift/extension"
)

func TestRegister(t *testing.T) {
	badEvent := refusal("Extension.InvalidEventType", "INVOKE: ErrorInvalidEventType")
	for _, tt := range []struct {
		name    string
		managed bool
		answers []http.HandlerFunc
		asked   [][]any // the events of each request
		events  []extension.EventType
	}{
		{
			name: "classic", answers: []http.HandlerFunc{registered},
			asked:  [][]any{{"INVOKE", "SHUTDOWN"}},
			events: []extension.EventType{extension.Invoke, extension.Shutdown},
		},
		{
			name: "managed instances", managed: true, answers: []http.HandlerFunc{registered},
			asked:  [][]any{{"SHUTDOWN"}},
			events: []extension.EventType{extension.Shutdown},
		},
		{
			name: "invoke refused", answers: []http.HandlerFunc{badEvent, registered},
			asked:  [][]any{{"INVOKE", "SHUTDOWN"}, {"SHUTDOWN"}},
			events: []extension.EventType{extension.Shutdown},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newFake(t)
				api.on("register", tt.answers...)
				reg, err := api.client(t, extension.Config{Managed: tt.managed}).Register(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := extension.Registration{
					Function: "f", Version: "$LATEST", Handler: "bootstrap", AccountID: "123456789012", Events: tt.events,
				}
				if !reflect.DeepEqual(reg, want) {
					t.Errorf("registration is %+v, want %+v", reg, want)
				}
				var asked [][]any
				for _, a := range api.asked("register") {
					asked = append(asked, a.body["events"].([]any))
					if a.method != http.MethodPost || a.header.Get("Lambda-Extension-Name") != "lift" ||
						a.header.Get("Lambda-Extension-Accept-Feature") != "accountId" {
						t.Errorf("asked %s with %v", a.method, a.header)
					}
					if _, ok := a.body["configurationKeys"]; ok {
						t.Error("Lambda refuses configurationKeys")
					}
				}
				if !reflect.DeepEqual(asked, tt.asked) {
					t.Errorf("asked for %v, want %v", asked, tt.asked)
				}
				if api.net.dials != 1 {
					t.Errorf("%d connections, want 1", api.net.dials)
				}
			})
		})
	}
}

func TestRegisterTakesTheProgramsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		c := extension.New(extension.Config{API: apiAddr, Dial: api.net.dial})
		defer c.Close()
		if _, err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := filepath.Base(os.Args[0])
		if got := api.asked("register")[0].header.Get("Lambda-Extension-Name"); got != want {
			t.Errorf("name is %q, want %q", got, want)
		}
	})
}

func TestRegisterWithAnUnreadableAnswerIsARegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		api.on("register", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Lambda-Extension-Identifier", "id")
			_, _ = fmt.Fprint(w, "<html>")
		})
		if _, err := api.client(t, extension.Config{}).Register(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRegisterRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		tries  int
		status int
		says   []string
	}{
		{
			"internal", refusal("Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"), 2, 403,
			[]string{"register", "403", "Extension.InvalidEventType", "/opt/extensions"},
		},
		{"no name", refusal("Extension.InvalidExtensionName", "Empty extension name"), 1, 403, []string{"Empty extension name", "/opt/extensions"}},
		{"too many", refusal("Extension.TooManyExtensions", "Extension limit (10) reached"), 1, 403, []string{"(10)", "remove an extension"}},
		{"late", refusal("Extension.RegistrationClosed", "closed"), 1, 403, []string{"before the runtime"}},
		{"twice", refusal("Extension.InvalidExtensionState", "State transition"), 1, 403, []string{"once per process"}},
		{"unknown type", refusal("Extension.New", "hm"), 1, 403, []string{"Extension.New", "newer"}},
		{"500", answer(500, `{"errorType":"X","errorMessage":"boom"}`), 1, 500, []string{"500", "boom", "exit now"}},
		{"garbage", answer(502, "\x00\xff<html>\n\n"+strings.Repeat("a", 9999)), 1, 502, []string{"502", "<html>"}},
		{"nothing", answer(200, ""), 1, 200, []string{"200", "Lambda-Extension-Identifier", apiAddr}},
		{"reset", reset, 1, 0, []string{"register", apiAddr, "AWS_LAMBDA_RUNTIME_API"}},
		{"not found", http.NotFound, 1, 404, []string{"404"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newFake(t)
				api.on("register", tt.answer)
				c := api.client(t, extension.Config{})
				_, err := c.Register(t.Context())
				e, ok := errors.AsType[*extension.Error](err)
				if !ok {
					t.Fatalf("error is %T %v", err, err)
				}
				if e.Status != tt.status || e.Final != (tt.status == 500) || e.Op != "register" {
					t.Errorf("error is %+v", e)
				}
				for _, s := range tt.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q does not say %q", err, s)
					}
				}
				if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\x00") {
					t.Errorf("not one short line: %q", err)
				}
				if n := len(api.asked("register")); n != tt.tries {
					t.Errorf("asked %d times, want %d", n, tt.tries)
				}
			})
		})
	}
}

func TestRegisterConnectionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		api.net.refuse = 1
		_, err := api.client(t, extension.Config{}).Register(t.Context())
		if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), apiAddr) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestRegisterIgnoresProxies(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.invalid:3128")
	t.Setenv("http_proxy", "http://proxy.invalid:3128")
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		if _, err := api.client(t, extension.Config{}).Register(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

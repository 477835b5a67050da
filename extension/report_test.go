package extension_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift/extension"
)

var accepted = answer(http.StatusAccepted, `{"status":"OK"}`)

func TestInitError(t *testing.T) {
	for reason, want := range map[string]string{
		"BrokenConfig":     "Extension.BrokenConfig",
		"broken-config 2":  "Extension.Brokenconfig",
		"":                 "Extension.Unknown",
		"x":                "Extension.Unknown",
		"ä\r\nInjected: 1": "Extension.Injected",
	} {
		synctest.Test(t, func(t *testing.T) {
			api := newFake(t)
			api.on("init/error", accepted)
			c := api.client(t, extension.Config{})
			if _, err := c.Register(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := c.InitError(t.Context(), reason, errors.New("line 3: no")); err != nil {
				t.Fatal(err)
			}
			a := api.asked("init/error")[0]
			if a.method != http.MethodPost || a.header.Get("Lambda-Extension-Function-Error-Type") != want ||
				a.header.Get("Lambda-Extension-Identifier") == "" || a.body["errorType"] != want || a.body["errorMessage"] != "line 3: no" {
				t.Errorf("%q was reported as %+v", reason, a)
			}
			if st, ok := a.body["stackTrace"].([]any); !ok || len(st) != 0 {
				t.Errorf("stackTrace is %v, want []", a.body["stackTrace"])
			}
			for e, err := range c.Events(t.Context()) {
				t.Errorf("after an accepted report came %+v, %v", e, err)
			}
		})
	}
}

func TestExitErrorBesideAWaitingNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		release := make(chan struct{})
		api.on("event/next", func(w http.ResponseWriter, r *http.Request) {
			<-release
			answer(200, invokeJSON)(w, r)
		})
		api.on("exit/error", refusal("Extension.MissingHeader", "x"), accepted)
		c := api.client(t, extension.Config{})
		if _, err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := make(chan int)
		go func() {
			n := 0
			for range c.Events(t.Context()) {
				n++
			}
			ended <- n
		}()
		synctest.Wait()
		if err := c.ExitError(t.Context(), "Bug", nil); err == nil || !strings.Contains(err.Error(), "exit/error: status 403: Extension.MissingHeader") {
			t.Errorf("error is %v", err)
		}
		if err := c.ExitError(t.Context(), "Bug", nil); err != nil {
			t.Fatal(err)
		}
		close(release)
		if n := <-ended; n != 0 {
			t.Errorf("%d events after the end", n)
		}
	})
}

func TestReportErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		api.on("init/error", refusal("Extension.InvalidExtensionState", "State transition"))
		api.on("exit/error", reset)
		c := api.client(t, extension.Config{})
		if err := c.InitError(t.Context(), "X", nil); err == nil || !strings.Contains(err.Error(), "not registered; call Register first") {
			t.Errorf("error is %v", err)
		}
		if _, err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.InitError(t.Context(), "XX", nil); err == nil || !strings.Contains(err.Error(), "use exit/error") {
			t.Errorf("error is %v", err)
		}
		if err := c.ExitError(t.Context(), "XX", nil); err == nil || !strings.Contains(err.Error(), "exit/error") {
			t.Errorf("error is %v", err)
		}
	})
}

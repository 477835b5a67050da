package emulator_test

import (
	"strings"
	"testing"

	"github.com/liftmesh/lift/emulator"
)

func TestInvokeWithOneExtension(t *testing.T) {
	cfg, log := config(t, "fn", "ext")
	e := start(t, cfg)
	if s := e.State(); s != emulator.Idle {
		t.Fatalf("state = %s", s)
	}
	first := works(t, e)
	if !first.Cold || first.Init {
		t.Errorf("first: cold %v, init %v", first.Cold, first.Init)
	}
	second := works(t, e)
	if second.Cold {
		t.Error("the second invocation is cold")
	}
	log.find(`"requestId":"` + second.RequestID) // what a program prints may come a moment later
	if events := log.matching(`"eventType":"INVOKE"`); len(events) != 2 || !strings.Contains(events[0], first.RequestID) {
		t.Errorf("events = %q", events)
	}
	r, ok := e.Report("ext")
	if !ok || r.ToRegister() <= 0 || r.ToFirstNext() <= r.ToRegister() {
		t.Errorf("report = %+v", r)
	}
	log.find(`"functionName":"function","functionVersion":"$LATEST","handler":"bootstrap","accountId":"123456789012"`)
	if err := e.Shutdown(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	log.find(`"shutdownReason":"spindown"`)
	if r, _ := e.Report("ext"); r.Exit != "exit status 0" {
		t.Errorf("extension ended with %q", r.Exit)
	}
}

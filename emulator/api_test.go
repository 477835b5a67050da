package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/emulator"
)

func TestExtensionsAPIRefuses(t *testing.T) {
	cfg, log := config(t, "fn", "ext-errors")
	cfg.Lazy = true
	invoke(t, start(t, cfg), `{}`)
	for what, want := range map[string]string{
		"no-name":    `403 {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}`,
		"not-json":   `403 {"errorMessage":"unexpected end of JSON input","errorType":"InvalidRequestFormat"}`,
		"keys":       `403 {"errorMessage":"configurationKeys are deprecated; use environment variables instead","errorType":"InvalidRequestFormat"}`,
		"bogus":      `403 {"errorMessage":"BOGUS: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}`,
		"no-file":    `403 {"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}`,
		"no-id":      `403 {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}`,
		"bad-id":     `403 {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}`,
		"unknown-id": `403 {"errorMessage":"Unknown extension 5d7c7ec9-0000-4000-8000-000000000000","errorType":"Extension.UnknownExtensionIdentifier"}`,
		"internal":   `200 {"functionName":"function","functionVersion":"$LATEST","handler":"bootstrap"}`,
		"eleventh":   `403 {"errorMessage":"Extension limit (10) reached","errorType":"Extension.TooManyExtensions"}`,
		"again":      `403 {"errorMessage":"State transition from Registered to Registered failed for extension ext-errors. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}`,
		"no-type":    `403 {"errorMessage":"Lambda-Extension-Function-Error-Type not found","errorType":"Extension.MissingHeader"}`,
		"telemetry":  `202 {"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}`,
	} {
		if got := log.find("extension ext-errors: " + what + " "); got != "extension ext-errors: "+what+" "+want {
			t.Errorf("%s\n got %s\nwant %s", what, got, want)
		}
	}
}

func TestRuntimeAPI(t *testing.T) {
	cfg, log := config(t, "fn", "ext")
	e := start(t, cfg)
	t.Run("headers", func(t *testing.T) {
		before := time.Now()
		res := invoke(t, e, `{"do":"head"}`, emulator.WithTrace("Root=1-1-2;Sampled=1"), emulator.WithTenant("blue"), emulator.WithClientContext(`{"a":1}`))
		var h http.Header
		if err := json.Unmarshal(res.Payload, &h); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Lambda-Runtime-Aws-Request-Id":       res.RequestID,
			"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:function",
			"Lambda-Runtime-Trace-Id":             "Root=1-1-2;Sampled=1",
			"Lambda-Runtime-Aws-Tenant-Id":        "blue",
			"Lambda-Runtime-Client-Context":       `{"a":1}`,
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		ms, err := strconv.ParseInt(h.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
		if left := time.UnixMilli(ms).Sub(before); err != nil || left < patience-time.Second || left > patience+time.Second {
			t.Errorf("deadline in %s, %v", left, err)
		}
		line := log.find(`"requestId":"` + res.RequestID)
		if !strings.Contains(line, `"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-1-2;Sampled=1"}`) || strings.Contains(line, "blue") ||
			!strings.Contains(line, `"deadlineMs":`+h.Get("Lambda-Runtime-Deadline-Ms")) {
			t.Error(line)
		}
	})
	t.Run("no trace", func(t *testing.T) {
		res := invoke(t, e, `{"do":"echo"}`, emulator.WithTrace(""))
		if line := log.find(`"requestId":"` + res.RequestID); strings.Contains(line, "tracing") {
			t.Error(line)
		}
	})
	t.Run("unknown id", func(t *testing.T) {
		if res := invoke(t, e, `{"do":"wrong-id"}`); string(res.Payload) != `400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}` {
			t.Errorf("payload = %s", res.Payload)
		}
	})
	t.Run("next before the answer gives the same again", func(t *testing.T) {
		if res := invoke(t, e, `{"do":"twice"}`); string(res.Payload) != `again {"do":"twice"}` {
			t.Errorf("payload = %s", res.Payload)
		}
	})
	t.Run("largest answer", func(t *testing.T) {
		if res := invoke(t, e, `{"do":"big","ms":6291556}`); res.FunctionError != "" || len(res.Payload) != 6<<20+100 {
			t.Errorf("result = %q, %d bytes", res.FunctionError, len(res.Payload))
		}
	})
	t.Run("payload too large", func(t *testing.T) {
		if _, err := e.Invoke(t.Context(), make([]byte, 6<<20+101)); !errors.Is(err, emulator.ErrTooLarge) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestEnvironmentVariables(t *testing.T) {
	t.Setenv("HOST_SECRET", "no")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "no")
	t.Setenv("TZ", "UTC")
	t.Setenv("LANG", "C")
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	cfg, log := config(t, "fn", "ext-env")
	cfg.Env = map[string]string{"CUSTOM": "1", "_HIDDEN": "2"}
	cfg.FunctionEnv = map[string]string{"ONLY_FN": "3"}
	cfg.ExtensionEnv = map[string]string{"ONLY_EXT": "4"}
	e := start(t, cfg)
	shared := []string{
		"AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"CUSTOM", "LANG", "LD_LIBRARY_PATH", "PATH", "TZ",
	}
	ext := map[string]string{}
	for _, line := range log.matching("extension ext-env: env ") {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "extension ext-env: env "), "=")
		ext[name] = value
	}
	if got, want := slices.Sorted(maps.Keys(ext)), slices.Sorted(slices.Values(append([]string{"ONLY_EXT"}, shared...))); !slices.Equal(got, want) {
		t.Errorf("extension\n got %q\nwant %q", got, want)
	}
	if ext["AWS_SECRET_ACCESS_KEY"] == "no" || ext["AWS_LAMBDA_FUNCTION_NAME"] != "function" || ext["AWS_LAMBDA_INITIALIZATION_TYPE"] != "on-demand" {
		t.Errorf("extension: %q", ext)
	}
	var env []string
	if err := json.Unmarshal(invoke(t, e, `{"do":"env"}`).Payload, &env); err != nil {
		t.Fatal(err)
	}
	fn := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		fn[name] = value
	}
	want := slices.Sorted(slices.Values(append([]string{
		"ONLY_FN", "_HANDLER", "_HIDDEN", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT",
	}, shared...)))
	if got := slices.Sorted(maps.Keys(fn)); !slices.Equal(got, want) {
		t.Errorf("function\n got %q\nwant %q", got, want)
	}
	if root := fn["LAMBDA_TASK_ROOT"]; root != filepath.Dir(cfg.Function) {
		t.Errorf("task root = %q", root)
	} else if _, err := os.Stat(root); err != nil {
		t.Error(err)
	}
}

// Where the function is run by an interpreter, its code is elsewhere.
func TestTaskRoot(t *testing.T) {
	cfg, _ := config(t, "fn")
	cfg.TaskRoot = t.TempDir()
	e := start(t, cfg)
	var env []string
	if err := json.Unmarshal(invoke(t, e, `{"do":"env"}`).Payload, &env); err != nil {
		t.Fatal(err)
	}
	function, _ := e.Report("function")
	if folder, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", function.PID)); err == nil && folder != cfg.TaskRoot {
		t.Errorf("the function runs in %s, want %s", folder, cfg.TaskRoot)
	}
	for _, want := range []string{"LAMBDA_TASK_ROOT=" + cfg.TaskRoot, "LAMBDA_RUNTIME_DIR=" + filepath.Dir(cfg.Function)} {
		if !slices.Contains(env, want) {
			t.Errorf("the function does not have %s: %q", want, env)
		}
	}
}

// stamp is the time in milliseconds that a program's line carries after word.
func stamp(t *testing.T, line, word string) int64 {
	t.Helper()
	var ms int64
	if _, err := fmt.Sscan(line[strings.Index(line, word)+len(word):], &ms); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return ms
}

func TestFunctionLead(t *testing.T) {
	for _, lead := range []time.Duration{300 * time.Millisecond, -300 * time.Millisecond} {
		t.Run(lead.String(), func(t *testing.T) {
			cfg, log := config(t, "fn", "ext")
			cfg.FunctionLead = lead
			res := works(t, start(t, cfg))
			got := time.Duration(stamp(t, log.find("event "), "event ")-stamp(t, log.find("invoked "), "invoked ")) * time.Millisecond
			// How far apart they really start is the machine's to say.
			if (got > 0) != (lead > 0) || res.Duration < lead.Abs() {
				t.Errorf("the function was %s ahead; all took %s", got, res.Duration)
			}
		})
	}
}

func TestAnExtensionsTail(t *testing.T) {
	t.Run("is part of the invocation", func(t *testing.T) {
		cfg, _ := config(t, "fn", "ext-slow")
		res := works(t, start(t, cfg))
		if res.Answered <= 0 || res.Duration-res.Answered < 200*time.Millisecond {
			t.Errorf("answered after %s, over after %s", res.Answered, res.Duration)
		}
	})
	t.Run("AnswerEarly", func(t *testing.T) {
		cfg, _ := config(t, "fn", "ext-slow")
		cfg.AnswerEarly = true
		e := start(t, cfg)
		works(t, e)
		if s := e.State(); s != emulator.Busy {
			t.Errorf("state = %s", s)
		}
		if err := e.Freeze(); err != nil { // waits for the tail
			t.Fatal(err)
		}
		if s := e.State(); s != emulator.Frozen {
			t.Errorf("state = %s", s)
		}
	})
	t.Run("SHUTDOWN only: none", func(t *testing.T) {
		cfg, log := config(t, "fn", "ext-shutdown-only")
		works(t, start(t, cfg))
		if got := log.matching("INVOKE"); len(got) != 0 {
			t.Errorf("events: %q", got)
		}
	})
}

func TestOneInvocationAtATime(t *testing.T) {
	cfg, log := config(t, "fn", "ext")
	e := start(t, cfg)
	slow := make(chan *emulator.Result, 1)
	go func() {
		res, _ := e.Invoke(context.Background(), []byte(`{"do":"sleep","ms":200}`))
		slow <- res
	}()
	log.find("invoked")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := e.Invoke(ctx, []byte(`{}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	works(t, e)
	select {
	case res := <-slow:
		if res == nil || res.FunctionError != "" {
			t.Errorf("first = %+v", res)
		}
	case <-time.After(patience):
		t.Error("the first has not returned")
	}
}

func TestManagedInstances(t *testing.T) {
	cfg, log := config(t, "fn", "ext-managed")
	cfg.InitType, cfg.MaxConcurrency, cfg.Timeout = emulator.ManagedInstances, 2, 500*time.Millisecond
	e := start(t, cfg)
	log.find(`refused 403 {"errorMessage":"INVOKE: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}`)
	var env []string
	if err := json.Unmarshal(invoke(t, e, `{"do":"env"}`).Payload, &env); err != nil || !slices.Contains(env, "AWS_LAMBDA_MAX_CONCURRENCY=2") {
		t.Errorf("env = %q, %v", env, err)
	}
	if err := e.Freeze(); !errors.Is(err, emulator.ErrNeverFreezes) {
		t.Errorf("error = %v", err)
	}
	results := make(chan *emulator.Result, 2)
	for range 2 {
		go func() {
			res, _ := e.Invoke(context.Background(), []byte(`{"do":"sleep","ms":800}`))
			results <- res
		}()
	}
	waitFor(t, "both run at once", func() bool { return len(log.matching(" sleep")) == 2 })
	if _, err := e.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, emulator.ErrUnavailable) {
		t.Errorf("error = %v", err)
	}
	before := e.Reports()[0].PID
	for range 2 {
		if res := <-results; res == nil || res.FunctionError != "Sandbox.Timedout" {
			t.Errorf("result = %+v", res)
		}
	}
	log.find("response 400") // the late answer
	works(t, e)
	if e.Reports()[0].PID != before {
		t.Error("a timeout reset a managed instance")
	}
	if res := invoke(t, e, `{"do":"exit"}`); res.FunctionError != "Runtime.ExitError" {
		t.Errorf("result = %+v", res)
	}
	log.find(`"shutdownReason":"failure"`)
	works(t, e)
	if got := log.matching(`"eventType":"INVOKE"`); len(got) != 0 {
		t.Errorf("events: %q", got)
	}
}

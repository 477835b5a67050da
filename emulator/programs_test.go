package emulator_test

// The programs that the tests run: this test binary itself, under other names.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	name, _, _ := strings.Cut(filepath.Base(os.Args[0]), "~") // ext~1 and ext~2 are both ext
	if run := programs()[name]; run != nil {
		run()
		return
	}
	code := m.Run()
	if left := leftovers(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "left behind:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leftovers are goroutines of the package that have not ended a second after
// the tests.
func leftovers() string {
	var all string
	for range 100 {
		http.DefaultClient.CloseIdleConnections()
		buf := make([]byte, 1<<20)
		all = ""
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "lift/emulator.") || strings.Contains(g, "net/http.") {
				all += g + "\n\n"
			}
		}
		if all == "" {
			return ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	return all
}

func programs() map[string]func() {
	both := []string{"INVOKE", "SHUTDOWN"}
	return map[string]func(){
		"ext":               func() { extension(both, nil) },
		"ext-shutdown-only": func() { extension([]string{"SHUTDOWN"}, nil) },
		"ext-invoke-only":   func() { extension([]string{"INVOKE"}, nil) },
		"ext-exit0":         func() { extension(both, onInvoke(func(string) { os.Exit(0) })) },
		"ext-slow":          func() { extension(both, onInvoke(func(string) { time.Sleep(300 * time.Millisecond) })) },
		"ext-hang":          func() { extension(both, onInvoke(func(string) { forever() })) },
		"ext-ignores":       func() { extension(both, onShutdown(forever)) },
		"ext-tail":          func() { extension(both, onShutdown(func() { time.Sleep(100 * time.Millisecond); say("flushed") })) },
		"ext-dies":          func() { say("cannot bind the socket"); os.Exit(3) },
		"ext-noregister":    forever,
		"ext-nonext":        func() { mustRegister("ext-nonext", both); forever() },
		"ext-first-stuck":   func() { firstStuck(); extension(both, nil) },
		"ext-initerror":     func() { lastWords("init") },
		"ext-exiterror":     func() { extension(both, onInvoke(func(id string) { postError(id, "exit"); os.Exit(1) })) },
		"ext-env":           func() { extension(both, nil, sayEnv) },
		"ext-errors":        func() { everyError() },
		"ext-managed":       managedExtension,
		"ext-child":         func() { extension(both, nil, grandchild) },
		"fn":                func() { function() },
		"fn-initerror": func() {
			post("/2018-06-01/runtime/init/error", `{"errorType":"Fn.Bad","errorMessage":"no table"}`, "Lambda-Runtime-Function-Error-Type", "Fn.Bad")
			forever()
		},
		"fn-dies":     func() { say("panic: no table"); os.Exit(2) },
		"fn-stubborn": func() { signal.Ignore(syscall.SIGTERM); function() },
		"fn-term":     func() { onTerm(); function() },
		"fn-internal": func() { internal(); onTerm(); function() },
	}
}

func api(path string) string { return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + path }

func say(words ...any) { fmt.Println(words...) }

func forever() { select {} }

func sayEnv() {
	env := os.Environ()
	slices.Sort(env)
	for _, v := range env {
		say("env", v)
	}
}

// grandchild leaves a process in the group.
func grandchild() {
	p, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		panic(err)
	}
	say("child", p.Pid)
}

// firstStuck hangs in the first life only.
func firstStuck() {
	if f, err := os.OpenFile(os.Getenv("MARKER"), os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_ = f.Close()
		forever()
	}
}

func do(method, path, body string, header ...string) (*http.Response, []byte) {
	req, err := http.NewRequest(method, api(path), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		say("lost the API:", err)
		os.Exit(9)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		say("lost the API:", err)
		os.Exit(9)
	}
	_ = res.Body.Close()
	return res, data
}

func post(path, body string, header ...string) (*http.Response, []byte) {
	return do("POST", path, body, header...)
}

func register(name string, events []string) (*http.Response, []byte) {
	body, err := json.Marshal(map[string]any{"events": events})
	if err != nil {
		panic(err)
	}
	return post("/2020-01-01/extension/register", string(body), "Lambda-Extension-Name", name, "Lambda-Extension-Accept-Feature", "accountId")
}

func mustRegister(name string, events []string) string {
	res, body := register(name, events)
	say("registered", res.StatusCode, string(bytes.TrimSpace(body)))
	return res.Header.Get("Lambda-Extension-Identifier")
}

type handled struct {
	Type   string `json:"eventType"`
	Reason string `json:"shutdownReason"`
}

func onInvoke(f func(id string)) func(string, handled) {
	return func(id string, e handled) {
		if e.Type == "INVOKE" {
			f(id)
		}
	}
}

func onShutdown(f func()) func(string, handled) {
	return func(_ string, e handled) {
		if e.Type == "SHUTDOWN" {
			f()
		}
	}
}

func extension(events []string, on func(string, handled), before ...func()) {
	for _, f := range before {
		f()
	}
	id := mustRegister(filepath.Base(os.Args[0]), events)
	for {
		res, body := do("GET", "/2020-01-01/extension/event/next", "", "Lambda-Extension-Identifier", id)
		say("event", time.Now().UnixMilli(), string(body))
		if res.StatusCode != http.StatusOK {
			os.Exit(8)
		}
		var e handled
		if err := json.Unmarshal(body, &e); err != nil {
			panic(err)
		}
		if on != nil {
			on(id, e)
		}
		if e.Type == "SHUTDOWN" {
			os.Exit(0)
		}
	}
}

func postError(id, phase string) {
	res, body := post("/2020-01-01/extension/"+phase+"/error", `{"errorMessage":"no config","errorType":"Extension.NoConfig"}`,
		"Lambda-Extension-Identifier", id, "Lambda-Extension-Function-Error-Type", "Extension.NoConfig")
	say(phase, "error", res.StatusCode, string(body))
}

func lastWords(phase string) {
	postError(mustRegister(filepath.Base(os.Args[0]), nil), phase)
	os.Exit(1)
}

func managedExtension() {
	res, body := register("ext-managed", []string{"INVOKE", "SHUTDOWN"})
	say("refused", res.StatusCode, string(body))
	extension([]string{"SHUTDOWN"}, nil)
}

func internal() {
	id := mustRegister("inside", nil)
	go do("GET", "/2020-01-01/extension/event/next", "", "Lambda-Extension-Identifier", id)
}

func onTerm() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	go func() { <-c; say("got SIGTERM"); os.Exit(0) }()
}

// everyError walks through the refusals of the Extensions API.
func everyError() {
	show := func(what string, res *http.Response, body []byte) { say(what, res.StatusCode, string(body)) }
	try := func(what, method, path, body string, header ...string) {
		res, data := do(method, "/2020-01-01/extension"+path, body, header...)
		show(what, res, data)
	}
	const id, name, kind = "Lambda-Extension-Identifier", "Lambda-Extension-Name", "Lambda-Extension-Function-Error-Type"
	try("no-name", "POST", "/register", "{}")
	try("not-json", "POST", "/register", "{", name, "ext-errors")
	try("keys", "POST", "/register", `{"configurationKeys":["A"]}`, name, "ext-errors")
	try("bogus", "POST", "/register", `{"events":["BOGUS"]}`, name, "ext-errors")
	try("no-file", "POST", "/register", `{"events":["SHUTDOWN"]}`, name, "other")
	try("no-id", "GET", "/event/next", "")
	try("bad-id", "GET", "/event/next", "", id, "7")
	try("unknown-id", "GET", "/event/next", "", id, "5d7c7ec9-0000-4000-8000-000000000000")
	for i := range 9 {
		try("internal", "POST", "/register", `{}`, name, fmt.Sprint("in", i))
	}
	try("eleventh", "POST", "/register", `{}`, name, "in9")
	say("done")
	mine := mustRegister("ext-errors", []string{"INVOKE", "SHUTDOWN"})
	res, body := register("ext-errors", nil)
	show("again", res, body)
	try("no-type", "POST", "/init/error", "{}", id, mine)
	res, body = do("PUT", "/2022-07-01/telemetry", "{}", id, mine)
	show("telemetry", res, body)
	os.Exit(0)
}

// function does what its payload says, in as many loops as it is told.
func function() {
	n, _ := strconv.Atoi(os.Getenv("AWS_LAMBDA_MAX_CONCURRENCY")) // unset is one
	for range n - 1 {
		go work()
	}
	work()
}

func work() {
	for {
		res, payload := do("GET", "/2018-06-01/runtime/invocation/next", "")
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		var c struct {
			Do   string
			Ms   int
			Text string
		}
		if err := json.Unmarshal(payload, &c); err != nil {
			panic(err)
		}
		say("invoked", time.Now().UnixMilli(), c.Do)
		base := "/2018-06-01/runtime/invocation/" + id
		reply := string(payload)
		switch c.Do {
		case "error":
			post(base+"/error", `{"errorMessage":"no","errorType":"errorString"}`, "Lambda-Runtime-Function-Error-Type", "errorString")
			continue
		case "panic":
			post(base+"/error", `{"errorMessage":"oh","errorType":"panic"}`, "Lambda-Runtime-Function-Error-Type", "panic")
			os.Exit(1)
		case "exit":
			os.Exit(7)
		case "answer-and-exit":
			post(base+"/response", reply)
			os.Exit(7)
		case "hang":
			forever()
		case "sleep":
			time.Sleep(time.Duration(c.Ms) * time.Millisecond)
		case "env":
			env, err := json.Marshal(os.Environ())
			if err != nil {
				panic(err)
			}
			reply = string(env)
		case "head":
			head, err := json.Marshal(res.Header)
			if err != nil {
				panic(err)
			}
			reply = string(head)
		case "big":
			reply = strings.Repeat("x", c.Ms)
		case "wrong-id":
			res, body := post("/2018-06-01/runtime/invocation/nobody/response", reply)
			reply = fmt.Sprint(res.StatusCode, " ", string(body))
		case "twice":
			_, again := do("GET", "/2018-06-01/runtime/invocation/next", "")
			reply = "again " + string(again)
		case "pid":
			reply = fmt.Sprint(os.Getpid())
		}
		res, body := post(base+"/response", reply)
		if res.StatusCode != http.StatusAccepted {
			say("response", res.StatusCode, string(body))
		}
	}
}

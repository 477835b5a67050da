package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liftmesh/lift/cmd/lift/rpctest"
)

// rpcs runs `lift call orders` with args against a server that tells of itself,
// or does not.
func rpcs(t *testing.T, r rpctest.Reflection) func(stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	socket := meshed(t, fmt.Sprintf("services:\n  orders: {from: static, endpoints: [%q], protocol: grpc, timeout: 10s}\n", grpcServer(t, r)))
	return func(stdin io.Reader, args ...string) (int, string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"call", "orders", "--socket", socket}, args...), streams{stdin, &out, &errs}, nothing)
		return code, out.String(), errs.String()
	}
}

const shipped = `{"id":"17","state":"shipped","placed":"2026-01-02T03:04:05Z"}` + "\n"

func TestCallOfMethods(t *testing.T) {
	file := rpctest.File(t)
	request := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(request, []byte(`{"id":"17"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const checked = `{"id":"1","state":"checked"}` + "\n" + `{"id":"2","state":"checked"}` + "\n"
	for name, r := range map[string]rpctest.Reflection{"reflection": rpctest.V1, "old reflection": rpctest.V1Alpha, "a file": rpctest.None} {
		t.Run(name, func(t *testing.T) {
			call := rpcs(t, r)
			for _, test := range []struct {
				stdin string
				args  []string
				code  int
				out   string
				errs  []string
			}{
				{"", []string{"orders.v1.Orders/Get", "-d", `{"id":"17"}`}, exitOK, shipped, nil},
				{`{"id":"17"}`, []string{"orders.v1.Orders/Get", "-d", "@-", "--idempotent", "--timeout", "5s"}, exitOK, shipped, nil},
				{"", []string{"orders.v1.Orders/Get", "-d", "@" + request}, exitOK, shipped, nil},
				{"", []string{"orders.v1.Orders/Watch", "-d", `{"id":"1"}`}, exitOK, `{"id":"1","state":"placed"}` + "\n" + `{"id":"1","state":"packed"}` + "\n" + `{"id":"1","state":"shipped"}` + "\n", nil},
				{`{"id":"1"}{"id":"2"}`, []string{"orders.v1.Orders/Put", "-d", "@-"}, exitOK, `{"count":2}` + "\n", nil},
				{`{"id":"1"}{"id":"2"}`, []string{"orders.v1.Orders/Check", "-d", "@-"}, exitOK, checked, nil},
				{"", []string{"orders.v1.Orders/Get", "-v", "-d", `{"id":"17"}`, "-H", "Echo: hi", "-H", "some-bin: AQI="}, exitOK, shipped,
					[]string{"attempt 1: 127.0.0.1:", " ok 200 after ", "< echo: hi\n", "< trailer rows: 1\n", "took "}},
				{"", []string{"orders.v1.Orders/Get", "-d", `{"id":"x"}`}, exitRefused, "",
					[]string{`detail: {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NO_ORDER","domain":"orders"}` + "\n", "lift: orders answered NOT_FOUND: no order x\n"}},
				{"", []string{"orders.v1.Orders/Get", "-d", `{"di":"x"}`}, exitUsage, "", []string{`lift: the request is no orders.v1.GetRequest: `}},
				{"", []string{"orders.v1.Orders/Get", "-d", `{`}, exitUsage, "", []string{`lift: the request is no JSON: `}},
				{"", []string{"orders.v1.Orders/Got"}, exitFailed, "", []string{"lift: orders: orders.v1.Orders has no method Got; it has: Get, Watch, Put, Check\n"}},
				{"", []string{"orders.v1.Orders/Get", "-H", "x-bin: %"}, exitUsage, "", []string{"base64"}},
				{"", []string{"orders.v1.Orders/Get", "--describe"}, exitOK, "orders.v1.Orders/Get(orders.v1.GetRequest) returns (orders.v1.Order)\n" + `{"id":""}` + "\n", nil},
			} {
				args := test.args
				if r == rpctest.None {
					args = append(args, "--proto", file)
				}
				code, out, errs := call(strings.NewReader(test.stdin), args...)
				if code != test.code || out != test.out {
					t.Errorf("%s: exit code %d, %q, %s", args, code, out, errs)
				}
				for _, part := range test.errs {
					if !strings.Contains(errs, part) {
						t.Errorf("%s: standard error does not say %q:\n%s", args, part, errs)
					}
				}
			}
			args := []string{"--list"}
			if r == rpctest.None {
				args = append(args, "--proto", file)
			}
			code, out, errs := call(nil, args...)
			if code != exitOK || !strings.Contains(out, "orders.v1.Orders/Check(stream orders.v1.Order) returns (stream orders.v1.Order)\n") {
				t.Errorf("--list: exit code %d, %s%s", code, out, errs)
			}
		})
	}
}

func TestCallOfMethodsAsJSON(t *testing.T) {
	call := rpcs(t, rpctest.V1)
	ask := func(wantCode int, args ...string) (got rpcJSON) {
		t.Helper()
		code, out, errs := call(strings.NewReader(""), append(args, "--json")...)
		if err := json.Unmarshal([]byte(out), &got); code != wantCode || err != nil {
			t.Errorf("exit code %d, %v: %s%s", code, err, out, errs)
		}
		return got
	}
	got := ask(exitOK, "orders.v1.Orders/Watch", "-d", `{"id":"1"}`, "-H", "echo: hi")
	if len(got.Messages) != 3 || got.Status == nil || got.Status.Code != "OK" || len(got.Attempts) != 1 || got.Attempts[0].Outcome != "ok" || got.Error != nil {
		t.Errorf("%+v", got)
	}
	if fmt.Sprint(got.Header["echo"], got.Trailer["rows"]) != "[hi] [1]" {
		t.Errorf("header %v, trailer %v", got.Header, got.Trailer)
	}
	got = ask(exitRefused, "orders.v1.Orders/Get", "-d", `{"id":"x"}`)
	if got.Status == nil || got.Status.Code != "NOT_FOUND" || got.Status.Message != "no order x" || len(got.Status.Details) != 1 || len(got.Messages) != 0 || got.Error != nil {
		t.Errorf("%+v", got)
	}
	// The service knows the deadline too, and may be the first to say that it is over.
	code, out, errs := call(strings.NewReader(""), "orders.v1.Orders/Watch", "-d", `{"id":"endless"}`, "--timeout", "300ms", "--json")
	got = rpcJSON{}
	err := json.Unmarshal([]byte(out), &got)
	ours := code == exitFailed && got.Status == nil && got.Error != nil && got.Error.Code == "deadline_exceeded"
	service := code == exitRefused && got.Status != nil && got.Status.Code == "DEADLINE_EXCEEDED" && got.Error == nil
	if err != nil || len(got.Messages) != 3 || !ours && !service {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, errs)
	}
}

func TestCallOfMethodsWithoutAnAnswer(t *testing.T) {
	call := rpcs(t, rpctest.None)
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--list"}, exitFailed, "lift: orders does not list its methods (no server reflection); name their .proto file with --proto\n"},
		{[]string{"orders.v1.Orders/Get"}, exitFailed, "no server reflection"},
		{[]string{"orders.v1.Orders/Get", "--proto", "/none/orders.proto"}, exitFailed, "orders.proto"},
		{[]string{"orders.v1.Orders/Get", "-X", "PUT"}, exitUsage, "a gRPC method has no HTTP method"},
		{[]string{"orders.v1.Orders/Get", "--list"}, exitUsage, "is one"},
		{[]string{"orders.v1.Orders/", "--describe"}, exitUsage, "is not a method; want package.Service/Method"},
		{[]string{"/path", "--describe"}, exitUsage, "is not a method"},
		{[]string{"--describe"}, exitUsage, "name a gRPC method"},
		{[]string{"orders/list"}, exitFailed, "with --proto; if orders/list is a path, it starts with a slash: /orders/list\n"},
		{[]string{"orders.v1.Orders/Get", "-d", "@/none", "--proto", rpctest.File(t)}, exitUsage, "cannot read the data, -d @/none: no such file or directory"},
	} {
		code, _, errs := call(nil, test.args...)
		if code != test.code || !strings.Contains(errs, test.says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s", test.args, code, errs)
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"call", "orders", "a.B/C", "--socket", "/none/s"}, streams{nil, &out, &errs}, nothing); code != exitFailed || !strings.HasPrefix(errs.String(), "lift: orders: no_sidecar: ") {
		t.Errorf("without a sidecar: exit code %d, %s", code, &errs)
	}
}

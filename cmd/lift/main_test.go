package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"lift": func() {
			if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" { // an extension is called as its file is
				os.Exit(standIn())
			}
			os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.LookupEnv))
		},
		"lift-extension": func() { os.Exit(standIn()) },
		"bootstrap":      function,
	})
}

func TestScripts(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(shop))
	t.Cleanup(web.Close) // the scripts run in parallel, after this function
	socket := meshed(t, fmt.Sprintf("services: {orders: {from: static, endpoints: [%q]}}\n", web.Listener.Addr()))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			dir, err := os.MkdirTemp("/tmp", "lift-") //nolint:usetesting // T.TempDir is too long for a socket
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(dir) })
			e.Setenv("SHORT", dir)      // a folder whose path is short enough for a socket
			e.Setenv("SIDECAR", socket) // one that serves orders, a shop
			e.Setenv("SHOP", web.Listener.Addr().String())
			return nil
		},
	})
}

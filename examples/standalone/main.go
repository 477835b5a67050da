// Command standalone runs two instances of the service "orders" on this machine, and
// a program that calls them through a sidecar: examples/sdk, or another one.
//
//	go run ./examples/standalone
//	go run ./examples/standalone curl -s -H 'Lift-Service: orders' http://127.0.0.1:4140/orders/17
//	go run ./examples/standalone sh        # then: lift call -v orders /orders/17; lift services
package main

import (
	_ "embed" // the configuration
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

//go:embed lift.yaml
var config []byte

func main() {
	log.SetFlags(0)
	code, err := run(os.Args[1:])
	if err != nil {
		log.Fatal("standalone: ", err)
	}
	os.Exit(code)
}

func run(command []string) (code int, err error) {
	for name, preset := range map[string]string{"ORDERS_A": "127.0.0.1:8081", "ORDERS_B": "127.0.0.1:8082"} {
		if err := serve(name, preset); err != nil {
			return 0, err
		}
	}
	dir, err := os.MkdirTemp("", "lift-standalone-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "lift.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return 0, err
	}
	const module = "github.com/liftmesh/lift"
	build := exec.Command("go", "build", "-o", dir+"/", module+"/cmd/lift", module+"/cmd/lift-extension", module+"/examples/sdk") //nolint:gosec // our own words
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("building lift, lift-extension and examples/sdk: %w", err)
	}
	if len(command) == 0 {
		command = []string{"sdk"}
	}
	return liftRun(dir, file, command)
}

// liftRun is `lift run -- command`. The programs in dir are on its PATH.
func liftRun(dir, file string, command []string) (code int, err error) {
	signals := make(chan os.Signal, 1) // Ctrl-C reaches all processes; the program decides what it means
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		return 0, err
	}
	lift := exec.Command(filepath.Join(dir, "lift"), append([]string{"run", "--config", file, "--"}, command...)...) //nolint:gosec // whoever runs it says what
	lift.Stdin, lift.Stdout, lift.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := lift.Start(); err != nil {
		return 0, err
	}
	go func() {
		for sig := range signals {
			if sig == syscall.SIGTERM { // sent to this process only
				_ = lift.Process.Signal(sig)
			}
		}
	}()
	err = lift.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return 0, err
	}
	return lift.ProcessState.ExitCode(), nil
}

// serve is an instance of orders at the address in $name. The second one is
// overloaded at every other request, so that there is something to retry.
func serve(name, preset string) error {
	at := os.Getenv(name)
	if at == "" {
		at = preset
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("an instance of orders: %w; set $%s to another address", err, name)
	}
	var requests atomic.Int64
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec,errcheck // an example on the loopback, served until the end
		if name == "ORDERS_B" && requests.Add(1)%2 == 0 {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"path\":%q,\"instance\":%q}\n", r.URL.Path, name)
	}))
	return nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
)

// answer is what the upstream sends: a small JSON document.
const answer = `{"id":"o-1","state":"shipped","items":[{"sku":"a","n":1},{"sku":"b","n":2}]}`

func upstream(addr string) {
	log.Fatal(http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // loopback
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	})))
}

// startUpstream runs this program again as the upstream, in its own process.
func startUpstream(ctx context.Context) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	_ = l.Close()
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	err = waitFor(ctx, exec.CommandContext(ctx, self, "-serve", addr), func() bool {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, &stop)
	return addr, stop, err
}

// waitFor starts cmd and waits until it is ready; stop ends it.
func waitFor(ctx context.Context, cmd *exec.Cmd, ready func() bool, stop *func()) error {
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	*stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(10 * time.Second); !ready(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			(*stop)()
			return fmt.Errorf("%s did not get ready in time", filepath.Base(cmd.Path))
		}
	}
	return nil
}

func writeConfig(file, socket, addr string) error {
	text := fmt.Sprintf("socket: %s\nservices:\n  orders: {from: static, endpoints: [%q]}\n", socket, addr)
	return os.WriteFile(file, []byte(text), 0o600)
}

// way is one way to make the call.
type way struct {
	name string
	call func(ctx context.Context) error
}

// calls compares the ways in turns, so that noise on the machine affects all of them
// alike.
func calls(ctx context.Context, dir, extension string, each time.Duration, rounds int) error {
	addr, stop, err := startUpstream(ctx)
	if err != nil {
		return err
	}
	defer stop()
	socket := filepath.Join(dir, "standalone.sock")
	file := filepath.Join(dir, "standalone.yaml")
	if err := writeConfig(file, socket, addr); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, extension)
	cmd.Env = append(os.Environ(), "LIFT_CONFIG="+file, "AWS_LAMBDA_RUNTIME_API=")
	var stopSidecar func()
	if err := waitFor(ctx, cmd, func() bool { _, err := os.Stat(socket); return err == nil }, &stopSidecar); err != nil {
		return err
	}
	defer stopSidecar()
	session, err := sdk.Dial(socket)
	if err != nil {
		return err
	}
	defer session.Close()
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: addr}}),
	}}})
	defer m.Close()
	return compare(ctx, []way{
		{"direct (http.Client)", get((&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}).Do, addr)},
		{"in process", get(sdk.New(m).HTTPClient().Do, "orders")},
		{"through the session", get(session.HTTPClient().Do, "orders")},
	}, each, rounds)
}

func get(do func(*http.Request) (*http.Response, error), host string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/orders/1", nil)
		if err != nil {
			return err
		}
		resp, err := do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != answer {
			return fmt.Errorf("answered %d %q, %w", resp.StatusCode, body, err)
		}
		return nil
	}
}

func compare(ctx context.Context, ways []way, each time.Duration, rounds int) error {
	for _, callers := range []int{1, 64} {
		p50 := make([][]float64, len(ways))
		rate := make([][]float64, len(ways))
		for round := range rounds + 1 { // the first only warms up
			for i, w := range ways {
				m, r, err := load(ctx, w.call, callers, each)
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				if round > 0 {
					p50[i], rate[i] = append(p50[i], m), append(rate[i], r)
				}
			}
		}
		fmt.Printf("%d caller(s), median of %d rounds of %s        p50       added    calls/s   of direct\n", callers, rounds, each)
		for i, w := range ways {
			fmt.Printf("  %-28s %22.1f µs %8.1f µs %10.0f   %8.2f\n", w.name, median(p50[i]),
				median(p50[i])-median(p50[0]), median(rate[i]), median(rate[i])/median(rate[0]))
		}
		fmt.Println()
	}
	return nil
}

// load makes calls from a number of callers and returns the median in µs and the rate.
func load(ctx context.Context, call func(context.Context) error, callers int, each time.Duration) (p50, rate float64, err error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	took := make([][]time.Duration, callers)
	began := time.Now()
	for i := range callers {
		wg.Go(func() {
			for failed.Load() == nil && time.Since(began) < each {
				at := time.Now()
				if err := call(ctx); err != nil {
					failed.Store(&err)
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	if e := failed.Load(); e != nil {
		return 0, 0, *e
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return float64(all[len(all)/2].Nanoseconds()) / 1000, float64(len(all)) / elapsed.Seconds(), nil
}

//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

// A body of 1 GiB (128 MiB where the race detector makes this program slow) goes
// up and another comes down at the same time, through a sidecar that holds little
// of them, whatever is spoken to the instance.
func TestLongBodiesInBoundedMemory(t *testing.T) {
	t.Parallel()
	size := 1 << 30
	if withRace {
		size = 128 << 20
	}
	config := "defaults: {timeout: 2m, attempt_timeout: 2m}\nservices:\n"
	for name, h2c := range map[string]bool{"http": false, "h2c": true} {
		web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is
			sent := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(io.Discard, r.Body) // too few bytes are told
				sent <- n
			}()
			w.Header().Set("Trailer", "X-Came")
			_, _ = io.CopyN(w, nothings{}, int64(size))
			w.Header().Set("X-Came", strconv.FormatInt(<-sent, 10))
		}))
		web.Config.Protocols = &http.Protocols{}
		web.Config.Protocols.SetHTTP1(!h2c)
		web.Config.Protocols.SetUnencryptedHTTP2(h2c)
		web.Start()
		t.Cleanup(web.Close)
		protocol := "http"
		if h2c {
			protocol = "h2c"
		}
		config += fmt.Sprintf("  %s: {from: static, protocol: %s, endpoints: %s}\n", name, protocol, endpoints(web.Listener.Addr().String()))
	}
	s := startShipped(t, config)
	client := s.dial(t).HTTPClient()
	for _, name := range []string{"http", "h2c"} {
		before, began := s.resident(t), time.Now()
		req, err := http.NewRequestWithContext(within(t, 2*time.Minute), http.MethodPost, "http://"+name+"/", io.LimitReader(nothings{}, int64(size)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if came := resp.Trailer.Get("X-Came"); err != nil || got != int64(size) || came != strconv.Itoa(size) {
			t.Errorf("%s: %d bytes came down, %s up: %v", name, got, came, err)
		}
		grown := s.resident(t) - before
		t.Logf("%s: %d MiB each way in %s, %.1f MiB more resident", name, size>>20, time.Since(began).Round(time.Millisecond), float64(grown)/(1<<20))
		if grown > min(memoryLeft, size/4) {
			t.Errorf("%s: the sidecar holds %d MiB more", name, grown>>20)
		}
	}
}

// nothings is a body of zeros without an end.
type nothings struct{}

func (nothings) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

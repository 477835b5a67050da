package consul

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift"
)

// Whatever Consul does, it is one clear error, and the set stays.
func TestBadConsul(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"500":            {text(500, "No cluster leader"), `answers 500 "No cluster leader"`},
		"429":            {text(429, "slow down"), `answers 429 "slow down"`},
		"long complaint": {text(500, strings.Repeat("x", 1<<20)), `answers 500 "` + strings.Repeat("x", 200) + `..."`},
		"many lines":     {text(500, "a\nb\x00"), `answers 500 "a\nb\x00"`},
		"garbage":        {text(200, "<html>hello"), "is it Consul?"},
		"another JSON":   {text(200, `{"a": 1}`), "is it Consul?"},
		"null":           {text(200, "null"), "answers null; is it Consul?"},
		"empty":          {text(200, ""), "ended its answer early"},
		"cut":            {text(200, `[{"Node": {"Node": "n`), "ended its answer early"},
		"huge":           {func(w http.ResponseWriter, _ *http.Request) { huge(w) }, "the answer is over 1 MiB; narrow it by tags"},
		"huge head":      {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "server response headers exceeded"},
		"403":            {text(403, "Permission denied: token lacks permission"), `refuses the token of $T (403 "Permission denied: token lacks permission"); it needs service:read on "orders" and node:read`},
		"unknown token":  {text(403, "ACL not found"), `refuses the token of $T (403 "ACL not found")`},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere/", http.StatusTemporaryRedirect)
		}, `it redirects to "http://elsewhere/"; Lift does not send its token there; set that address if it is the right one`},
		"slow":             {slow, "did not answer in time"},
		"hung":             {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer in time"},
		"hidden by an ACL": {with("X-Consul-Results-Filtered-By-Acls", "true", "[]"), `hides the instances of "orders" from the token of $T; it needs service:read on "orders" and node:read`},
		"no leader":        {with("X-Consul-Knownleader", "false", "[]"), "but knows no leader"},
		"no address":       {text(200, `[{"Node":{},"Service":{"ID":"a"},"Checks":[]}]`), "none that passes its checks has an address and a port"},
		"hangs up":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, a("x")...)
				c := f.client(t, func(c *Config) { c.Token = Token{Value: "geheim", Source: "$T"} })
				c.most = 1 << 20
				w := follow(t, c.Registry(Source{}), "orders")
				f.change(func() { f.answer = tt.answer; f.stir() })
				time.Sleep(400 * s) // a query that blocks may take five minutes
				synctest.Wait()
				w.mu.Lock()
				told := w.told
				w.mu.Unlock()
				if len(told) < 2 || told[0] != "x " || !strings.Contains(told[1], tt.want) || !strings.Contains(told[1], "consul at http://127.0.0.1:8500") {
					t.Fatalf("told %.500q, want an error with %q", told, tt.want)
				}
				if strings.Contains(told[1], "geheim") || strings.ContainsAny(told[1], "\n\x00") {
					t.Errorf("the error tells too much: %q", told[1])
				}
				f.change(func() { f.answer = nil })
				time.Sleep(time.Minute)
				synctest.Wait()
				w.mu.Lock()
				defer w.mu.Unlock()
				if last := w.told[len(w.told)-1]; last != "x " {
					t.Errorf("afterwards it tells %q", last)
				}
			})
		})
	}
}

func text(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Consul-Knownleader", "true")
		w.Header().Set("X-Consul-Lastcontact", "0")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func with(name, value, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Consul-Knownleader", "true")
		w.Header().Set("X-Consul-Lastcontact", "0")
		w.Header().Set(name, value)
		_, _ = w.Write([]byte(body))
	}
}

// huge is well-formed for as long as somebody reads.
func huge(w http.ResponseWriter) {
	piece := bytes.Repeat([]byte("x"), 1<<16)
	_, err := w.Write([]byte(`[{"Node":{"Node":"`))
	for err == nil {
		_, err = w.Write(piece)
	}
}

// slow sends a byte a second.
func slow(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(s):
		case <-r.Context().Done():
		}
	}
}

func TestMissingQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.fails(404, "Query not found")
		w := follow(t, f.client(t, nil).Registry(Source{Query: true}), "near-orders")
		w.want(t, `error: consul at http://127.0.0.1:8500: there is no prepared query "near-orders"`)
	})
}

// The file is read for each request, so that a renewed token takes effect.
func TestTokenFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("CONSUL_HTTP_TOKEN", "the library's own default")
		t.Setenv("CONSUL_HTTP_TOKEN_FILE", "/nowhere")
		f := newFake(t, a("x")...)
		c := f.client(t, func(c *Config) { c.Token.File = file })
		ask := func() error {
			_, err := c.read(context.Background(), Source{}, "orders", 0)
			return err
		}
		if err := ask(); err == nil || !strings.Contains(err.Error(), "the token's file: open "+file+": no such file") {
			t.Errorf("no file: %v", err)
		}
		for text, want := range map[string]string{"": "is empty", " \n": "is empty", "a b": "one word of plain characters", "a\x00": "one word of plain characters", strings.Repeat("a", 1<<17): "one word of plain characters"} {
			write(text)
			if err := ask(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.10q: %v, want %q", text, err, want)
			}
		}
		for i, token := range []string{"one", "two"} {
			write(token + "\n")
			if err := ask(); err != nil || f.asked[i].token != token {
				t.Errorf("%v, sent %q", err, f.asked[i].token)
			}
		}
		none := f.client(t, nil)
		if _, err := none.read(context.Background(), Source{}, "orders", 0); err != nil || f.asked[2].token != "" {
			t.Errorf("%v, sent %q, want none", err, f.asked[2].token)
		}
	})
}

func TestEndpoints(t *testing.T) {
	entry := func(change func(*api.ServiceEntry)) *api.ServiceEntry {
		e := entriesOf([]lift.Endpoint{{ID: "a", Addr: "10.0.0.1:80"}})[0]
		if change != nil {
			change(e)
		}
		return e
	}
	for name, tt := range map[string]struct {
		entries []*api.ServiceEntry
		want    string
	}{
		"as it is":         {[]*api.ServiceEntry{entry(nil)}, "{a 10.0.0.1:80  1 []}"},
		"node address":     {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Address = "" })}, "{a 192.0.2.1:80  1 []}"},
		"IPv6":             {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Address = "fd00::1" })}, "{a [fd00::1]:80  1 []}"},
		"IPv6 in brackets": {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Address = "[fd00::1]" })}, "{a [fd00::1]:80  1 []}"},
		"weight, tags, zone of the service": {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) {
			e.Service.Weights.Passing, e.Service.Tags, e.Service.Locality = 5, []string{"v2"}, &api.Locality{Region: "r", Zone: "z1"}
			e.Node.Locality = &api.Locality{Zone: "z2"}
		})}, "{a 10.0.0.1:80 z1 5 [v2]}"},
		"zone of the node": {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Node.Locality = &api.Locality{Zone: "z2"} })}, "{a 10.0.0.1:80 z2 1 []}"},
		"zone by metadata": {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Meta = map[string]string{"zone": "z3"} })}, "{a 10.0.0.1:80 z3 1 []}"},
		"zone by node's":   {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Node.Meta = map[string]string{"zone": "z4"} })}, "{a 10.0.0.1:80 z4 1 []}"},
		"several ports": {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) {
			e.Service.Port, e.Service.Ports = 0, api.ServicePorts{{Name: "x", Port: 1}, {Name: "y", Port: 2, Default: true}}
		})}, "{a 10.0.0.1:2  1 []}"},
		"weight beyond":                {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Weights.Passing = 1 << 30 })}, "{a 10.0.0.1:80  65535 []}"},
		"weight below":                 {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Weights.Passing = -1 })}, "{a 10.0.0.1:80  1 []}"},
		"warning":                      {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Checks[0].Status = api.HealthWarning })}, ""},
		"critical":                     {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Checks = append(e.Checks, &api.HealthCheck{Status: api.HealthCritical}) })}, ""},
		"no port":                      {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Port = 0 })}, ""},
		"no address":                   {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Address, e.Node.Address = "", "" })}, ""},
		"everywhere":                   {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Address = "0.0.0.0" })}, ""},
		"no host":                      {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.Address = "a/b" })}, ""},
		"nothing":                      {[]*api.ServiceEntry{nil, {}, {Checks: api.HealthChecks{nil}}}, ""},
		"no id":                        {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.ID = "" })}, "{10.0.0.1:80 10.0.0.1:80  1 []}"},
		"the id is the service's name": {[]*api.ServiceEntry{entry(func(e *api.ServiceEntry) { e.Service.ID = "orders" })}, "{n1/orders 10.0.0.1:80  1 []}"},
		"one id on two nodes":          {[]*api.ServiceEntry{entry(nil), entry(func(e *api.ServiceEntry) { e.Node.Node, e.Service.Address = "n0", "10.0.0.2" })}, "{n0/a 10.0.0.2:80  1 []} {n1/a 10.0.0.1:80  1 []}"},
		"one id twice on one":          {[]*api.ServiceEntry{entry(nil), entry(func(e *api.ServiceEntry) { e.Service.Address = "10.0.0.2" })}, "{n1/a 10.0.0.1:80  1 []}"},
	} {
		set := endpoints(tt.entries)
		got := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(set), "["), "]")
		if set == nil || got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"consul": "http://consul:8500", "10.0.0.1:80": "http://10.0.0.1:80", "https://consul.internal": "https://consul.internal:8501",
		"http://[fd00::1]": "http://[fd00::1]:8500", "https://a:1/x/": "https://a:1/x", "unix:///run/consul.sock": "unix:///run/consul.sock",
		"": "", "ftp://a": "", "unix://a": "", "http://": "", "http://u:p@a": "", "http://a?dc=x": "", "http://a b": "", "http://[": "", "http://a#b": "",
	} {
		got, err := parseAddress(in)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: %s, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "http://[::1]:8500": true, "unix:///a": true, "": true, "consul.internal": false, "10.0.0.1": false} {
		c, err := New(Config{Address: in})
		if err != nil || c.Loopback() != want {
			t.Errorf("Loopback of %q is %v, %v", in, !want, err)
		}
	}
}

// Any bytes for an answer: an error, or a sound set.
func FuzzAnswer(f *testing.F) {
	head := "HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nX-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 0\r\n\r\n"
	f.Add([]byte(head+`[{"Node":{"Node":"n","Address":"10.0.0.1"},"Service":{"ID":"a","Service":"o","Port":80,"Weights":{"Passing":3}},"Checks":[{"Status":"passing"}]}]`), false)
	f.Add([]byte(head+`{"Nodes":[{"Node":{"Address":"::1"},"Service":{"Port":1,"Tags":["x"]},"Checks":[null]}],"Failovers":1}`), true)
	f.Add([]byte(head+`[null,{},{"Node":{},"Service":{"Locality":{"Zone":"z"}}}]`), false)
	f.Add([]byte("HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!"), true)
	f.Add([]byte("HTTP/1.1 301 Moved\r\nLocation: http://x\r\n\r\n"), false)
	f.Fuzz(func(t *testing.T, raw []byte, query bool) {
		c, err := New(Config{Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				_, _ = theirs.Read(make([]byte, 4096))
				_, _ = theirs.Write(raw)
			}()
			return ours, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*s)
		defer cancel()
		got, err := c.read(ctx, Source{Query: query}, "orders", 0)
		c.transport.CloseIdleConnections()
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("it does not end: %v", err)
			}
			return
		}
		if got.set == nil {
			t.Fatal("nil is no empty set")
		}
		seen := map[string]bool{}
		for _, ep := range got.set {
			host, port, err := net.SplitHostPort(ep.Addr)
			if err != nil || host == "" || port == "0" || ep.ID == "" || seen[ep.ID] || ep.Weight < 1 || ep.Weight > maxWeight {
				t.Fatalf("endpoint %+v: %v", ep, err)
			}
			seen[ep.ID] = true
		}
	})
}

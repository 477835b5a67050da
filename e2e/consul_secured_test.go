//go:build e2e && linux

package e2e_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liftmesh/lift/internal/certtest"
)

// A Consul that speaks TLS, wants to know who asks, and gives nothing away without
// a token.
func TestConsulWithTLSAndACLs(t *testing.T) {
	t.Parallel()
	const root = "1d7a3c6e-0000-4000-8000-000000000001"
	ca := certtest.New(t, "consul-ca")
	agent := newConsul(t, "")
	host, _, err := net.SplitHostPort(agent.Addr)
	if err != nil {
		t.Fatal(err)
	}
	server, mine := ca.Issue(nil, "server.dc1.consul", host), ca.Issue(nil, "lift")
	agent.config = strings.Replace(agent.config, "ports { ", "ports { http = -1, https = 8500, ", 1) + fmt.Sprintf(`
tls { https { ca_file = %q, cert_file = %q, key_file = %q, verify_incoming = true } }
acl { enabled = true, default_policy = "deny", tokens { initial_management = %q, agent = %[4]q } }
`, ca.File, server.CertFile, server.KeyFile, root)
	agent.URL, agent.Token = "https://"+agent.Addr, root
	agent.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "server.dc1.consul", Certificates: []tls.Certificate{mine.Certificate}, MinVersion: tls.VersionTLS12}}
	agent.Start()
	up := startUpstream(t, "A")
	agent.Register("a", up.Addr, nil)

	token := filepath.Join(t.TempDir(), "token")
	s := startSidecar(t, fmt.Sprintf(`
registry:
  consul:
    address: %q
    token: {file: %q}
    tls: {ca: %q, cert: %q, key: %q, server_name: server.dc1.consul}
services: {orders: {from: consul}}
`, agent.URL, token, ca.File, mine.CertFile, mine.KeyFile))
	client := s.dial(t)
	says := func(want string) {
		t.Helper()
		waitFor(t, "the error says "+want, func() bool { return strings.Contains(known(t, client, "orders").Error, want) })
	}
	says("the token's file: open " + token + ": no such file")
	write(t, token, "1d7a3c6e-0000-4000-8000-00000000beef")
	says(`refuses the token in ` + token + ` (403 "ACL not found"); it needs service:read on "orders" and node:read`)
	weak := newToken(t, agent, `service "billing" { policy = "read" }`)
	write(t, token, weak)
	says(`hides the instances of "orders" from the token in ` + token + `; it needs service:read on "orders" and node:read`)
	if strings.Contains(s.out.String(), weak) {
		t.Error("the token is in the log")
	}

	write(t, token, newToken(t, agent, `service "orders" { policy = "read" } node_prefix "" { policy = "read" }`)+"\n")
	wantKnown(t, client, "orders", "a")
	if got, err := asks(client, "orders"); err != nil || got != "A" {
		t.Errorf("got %s, %v", got, err)
	}

	// The token is renewed while a query is held with the old one; the next one
	// uses the new.
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	agent.Register("a", up.Addr, entry{"Tags": []string{"changed"}})
	says("no such file")
	if got, err := asks(client, "orders"); err != nil || got != "A" {
		t.Errorf("without a token: %s, %v", got, err)
	}
}

// newToken makes a token that may do what rules say.
func newToken(t *testing.T, agent *consulAgent, rules string) string {
	t.Helper()
	name := fmt.Sprintf("p%d", len(rules))
	agent.does(http.MethodPut, "/v1/acl/policy", entry{"Name": name, "Rules": rules})
	var got struct{ SecretID string }
	if err := json.Unmarshal([]byte(agent.does(http.MethodPut, "/v1/acl/token", entry{"Policies": []entry{{"Name": name}}})), &got); err != nil {
		t.Fatal(err)
	}
	return got.SecretID
}

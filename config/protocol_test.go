package config

import (
	"strings"
	"testing"

	"github.com/liftmesh/lift/transport"
)

func TestProtocols(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		problem string // "" is none
	}{
		"http":         {"protocol: http", ""},
		"https":        {"protocol: http, tls: true", ""},
		"h2c":          {"protocol: h2c", ""},
		"h2":           {"protocol: h2, tls: true", ""},
		"gRPC":         {"protocol: grpc", ""},
		"gRPC, TLS":    {"protocol: grpc, tls: true", ""},
		"auto":         {"protocol: auto, tls: {min_version: 1.3}", ""},
		"h2 plain":     {"protocol: h2", "f:1:60: services.a.protocol: h2 is HTTP/2 over TLS, and this service has no TLS; add tls: true, or set protocol: h2c for HTTP/2 without it"},
		"auto plain":   {"protocol: auto, tls: false", "f:1:60: services.a.protocol: auto is agreed upon in the TLS handshake, and this service has no TLS; add tls: true, or set protocol: http or h2c"},
		"h2c over TLS": {"protocol: h2c, tls: true", "f:1:60: services.a.protocol: h2c is HTTP/2 without TLS, and this service has TLS; set protocol: h2, or tls: false"},
		"mistyped":     {"protocol: http2, tls: true", `f:1:60: services.a.protocol: "http2" is not one of http, h2c, h2, grpc, auto; write h2 for HTTP/2 over TLS, or h2c for HTTP/2 without it`},
	} {
		t.Run(name, func(t *testing.T) {
			c, problems := Parse("f", []byte("services: {a: {from: static, endpoints: [\"h:1\"], "+tt.text+"}}"), env())
			err := problems.Err()
			switch {
			case tt.problem == "" && err != nil:
				t.Error(err)
			case tt.problem == "":
				want := strings.TrimSuffix(strings.Fields(tt.text)[1], ",")
				if got := c.Services[0].Transport.Protocol; got != transport.Protocol(want) {
					t.Errorf("got %q", got)
				}
			case err == nil || !strings.Contains(err.Error(), tt.problem):
				t.Errorf("got  %v\nwant %s", err, tt.problem)
			}
		})
	}
}

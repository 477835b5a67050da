package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/liftmesh/lift/sidecar/plain"
)

// globalSettings is the table of what stands at the top of the file.
func globalSettings() []setting[Config] {
	return slices.Concat(processSettings(), standaloneSettings(), consulGlobals(), registerSettings())
}

// processSettings are the sidecar's own ways in, its log and its limits.
func processSettings() []setting[Config] {
	return []setting[Config]{
		{rule{
			path: "socket", kind: text, preset: "/tmp/lift/lift.sock", check: socketPath, pattern: "^(unix:)?/.*[^/]$", variable: "LIFT_SOCKET",
			means: "path of the Lift API's unix socket",
			why:   "/tmp is the only place in a Lambda environment that both the function and the extension can write",
		}, func(c *Config, d datum) { c.Socket = barePath(d.text) }},
		{rule{
			path: "socket_mode", kind: mode, low: "0600", high: "0777", preset: "0600",
			means: "file mode of the socket, octal",
			why:   "inside Lambda the function and the extension run as one user, and nobody else should make calls in its name",
		}, func(c *Config, d datum) { c.SocketMode = fs.FileMode(d.ns) }},
		{rule{
			path: "socket_group", kind: text, derived: "the process's own group", check: groupName, sample: "app",
			means: "group that owns the socket, by name or number",
			why:   "for a container whose program runs as another user; use it with socket_mode: \"0660\"",
		}, func(c *Config, d datum) { c.SocketGroup = d.text }},
		{rule{
			path: "api", live: true, kind: list, derived: "none", check: apiAddress, pattern: `^(127\.|\[)`, sample: "127.0.0.1:4141",
			means: "loopback addresses on which the Lift API listens as well, for sdk.Dial and $LIFT_SOCKET",
			why:   "for containers that share a network but no volume; off by default, because every program on the machine can open a loopback port",
		}, func(c *Config, d datum) { c.API = plainAddresses(d.items, "") }},
		{rule{
			path: "plain", live: true, kind: list, derived: "none", check: plainAddress, pattern: `^(unix:/|127\.|\[)`, sample: "127.0.0.1:4140",
			means: "where the plain door listens for HTTP clients: unix:/path/of/a.sock, or a loopback address with a port",
			why:   "off by default, because every program on the machine can open a loopback port; unix sockets get socket_mode and socket_group",
		}, func(c *Config, d datum) { c.Plain = plainAddresses(d.items, "") }},
		{rule{
			path: "proxy", kind: toggle, preset: "false",
			means: "whether the plain door also works as an HTTP proxy (whole URLs and CONNECT), to the configured services only",
			why:   "see [as a proxy](plain-http.md#as-a-proxy)",
		}, func(c *Config, d datum) { c.Proxy = d.text == "true" }},
		{rule{
			path: "log.level", live: true, kind: choice, choices: []string{"debug", "info", "warn", "error"}, preset: "info", variable: "LIFT_LOG_LEVEL",
			means: "the lowest level that is logged",
			why:   "at info there is one line for each change of state, and none for single calls",
		}, func(c *Config, d datum) { c.Log.Level = logLevel(d.text) }},
		{rule{
			path: "log.format", kind: choice, choices: []string{"auto", "json", "text"}, preset: "auto", variable: "LIFT_LOG_FORMAT",
			means: "how a log line is written; `auto` is `text` on a terminal, and `json` elsewhere and in Lambda",
			why:   "people read text; log collectors such as CloudWatch Logs find the fields of JSON lines by themselves",
		}, func(c *Config, d datum) { c.Log.Format = d.text }},
		{rule{
			path: "limits.peers", kind: whole, low: "1", high: "16384", preset: "256",
			means: "connections to the socket at one time, and as many to the plain door; further ones get `busy`",
			why:   "a quarter of the 1,024 descriptors of a Lambda environment, which the function shares",
		}, func(c *Config, d datum) { c.Limits.MaxPeers = int(d.ns) }},
		{rule{
			path: "limits.calls_per_peer", kind: whole, low: "1", high: "65536", preset: "1024",
			means: "calls that one connection may have in flight",
			why:   "far above what one function starts, and still a bound on a runaway loop",
		}, func(c *Config, d datum) { c.Limits.MaxCallsPerPeer = int(d.ns) }},
		{rule{
			path: "limits.calls", kind: whole, low: "1", high: "1048576", preset: "4096",
			means: "calls in flight over all connections to the socket, and as many over those to the plain door",
			why:   "bounds the memory that calls hold",
		}, func(c *Config, d datum) { c.Limits.MaxCalls = int(d.ns) }},
		{rule{
			path: "limits.connections", kind: whole, low: "1", high: "65536", preset: "256",
			means: "open connections to all endpoints of all services together; idle ones are closed to make room, then calls wait, see connections.wait",
			why:   "a quarter of the 1,024 descriptors of a Lambda environment, which the function shares",
		}, func(c *Config, d datum) { c.Connections = int(d.ns) }},
		{rule{
			path: "limits.connects", kind: whole, low: "1", high: "65536", preset: "4",
			means: "connections that are being opened at one time; further ones wait, see connections.wait",
			why:   "the first calls after a thaw do not open hundreds at once",
		}, func(c *Config, d datum) { c.Connects = int(d.ns) }},
		{rule{
			path: "limits.header", kind: size, low: "1KiB", high: "1MiB", preset: "64KiB",
			means: "path and fields of one request, counted as HTTP/2 does (32 bytes more for each field)",
			why:   "common servers stop at 8 to 64 KiB",
		}, func(c *Config, d datum) { c.Limits.MaxHeader = int(d.ns) }},
		{rule{
			path: "limits.body", kind: size, low: "1KiB", high: "64MiB", preset: "4MiB",
			means: "body of a unary call, for the request and for the answer; bodies in sessions stream and have no limit here",
			why:   "gRPC's usual limit for one message",
		}, func(c *Config, d datum) { c.Limits.MaxBody = int(d.ns) }},
		{rule{
			path: "limits.buffered", kind: size, low: "64KiB", high: "1GiB", preset: "32MiB",
			means: "request bodies that are received and not yet read, over all sessions; a call whose body does not fit gets `busy`",
			why:   "a quarter of the smallest function's memory",
		}, func(c *Config, d datum) { c.Limits.MaxBuffered = int(d.ns) }},
		{rule{
			path: "lambda.init_wait", kind: duration, low: "0s", high: "9s", preset: "500ms",
			means: "how long discovery and warm connections may delay the end of Lambda's init",
			why:   "it overlaps the function's own init, which Lambda ends after 10 s",
		}, func(c *Config, d datum) { c.InitWait = time.Duration(d.ns) }},
	}
}

// maxSocket is what sun_path holds on Linux with its closing zero (darwin has
// four bytes less).
const maxSocket = 103

// barePath is the path of a socket without unix:, which programs may write before it
// in $LIFT_SOCKET.
func barePath(s string) string {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return strings.TrimPrefix(path, "//")
	}
	return s
}

func socketPath(s string) error {
	switch s = barePath(s); {
	case !strings.HasPrefix(s, "/"):
		return errors.New("want an absolute path, such as /tmp/lift/lift.sock")
	case strings.HasSuffix(s, "/"):
		return errors.New("want the path of a file, such as /tmp/lift/lift.sock")
	case len(s) > maxSocket:
		return fmt.Errorf("it has %d bytes; want at most %d, which is what a unix socket's address holds", len(s), maxSocket)
	}
	return nil
}

func apiAddress(s string) error {
	a, err := plain.ParseAddress(s)
	if err != nil || a.Network != "tcp" {
		return errors.New("want an address of the loopback with a port, such as 127.0.0.1:4141; the path of the unix socket stands under socket")
	}
	return nil
}

func plainAddress(s string) error {
	_, err := plain.ParseAddress(s)
	return err
}

// plainAddresses is addresses that have been checked, of one service's own.
func plainAddresses(items []string, service string) []plain.Address {
	all := make([]plain.Address, 0, len(items))
	for _, item := range items {
		if a, err := plain.ParseAddress(item); err == nil {
			a.Service = service
			all = append(all, a)
		}
	}
	return all
}

func groupName(s string) error {
	if !only(s, "_.-") || strings.Trim(s[:1], ".-") == "" {
		return errors.New("want a group's name or number")
	}
	return nil
}

func logLevel(s string) slog.Level {
	switch s {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

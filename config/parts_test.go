package config

import (
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	lookup := env("A", "1", "EMPTY", "", "TOKEN", "t", "INJECT", "x, y: [z] ${A}")
	for in, want := range map[string]string{
		"plain $ $":            "plain $ $",
		"$$A $$_a $":           "$A $_a $",
		"${A}${A}":             "11",
		"a${A}b":               "a1b",
		"${EMPTY}":             "",
		"${EMPTY:-d}":          "d",
		"${NONE:-d:-e}":        "d:-e",
		"${NONE:-}":            "",
		"$${A}":                "${A}",
		"$$${A}":               "$${A}",
		"$${${A}":              "${1",
		"${INJECT}":            "x, y: [z] ${A}", // once only
		"f:$LATEST $$LATEST":   "f:$LATEST $$LATEST",
		"$1 $- $$ $$1":         "$1 $- $$ $$1",
		escape("${A} $${A} $"): "${A} $${A} $",
	} {
		got, bad := expand(in, lookup)
		if bad != nil || got.text != want {
			t.Errorf("expand(%q) = %q, %v; want %q", in, got.text, bad, want)
		}
	}
	for _, in := range []string{"${", "${A", "${}", "${A-b}", "${NONE}", "${a b}", "$A", "a:$A_b:1", "${NONE:-${A}}", "${A:-$A}", "${A:?x}"} {
		if got, bad := expand(in, lookup); bad == nil {
			t.Errorf("expand(%q) = %q, want a fault", in, got.text)
		}
	}
	if _, bad := expand("${V}", env("V", "a\nb")); bad == nil {
		t.Error("a variable of two lines passes")
	}
	if x, _ := expand("${TOKEN}", lookup); !x.secret {
		t.Error("TOKEN is no secret")
	}
	if x, _ := expand("${NO_TOKEN:-d}", lookup); x.secret {
		t.Error("what the file itself says is no secret")
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]time.Duration{"250ms": 250e6, "2s": 2e9, "1m30s": 90e9, "1.5h": 5400e9, "10us": 1e4} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "2", "-1s", "+1s", "1 s", "1d", "s"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %v, want an error", in, got)
		}
	}
	for in, want := range map[time.Duration]string{time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 3601e9: "1h0m1s", 0: "0s", 10 * time.Minute: "10m", 100 * time.Hour: "100h"} {
		if got := formatDuration(in); got != want {
			t.Errorf("formatDuration(%v) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]int64{"1B": 1, "64KiB": 64 << 10, "1 MiB": 1 << 20, "2GiB": 2 << 30, "0B": 0} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "1", "1K", "1KB", "-1KiB", "1.5MiB", "KiB", "9999999999GiB"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", in, got)
		}
	}
	for in, want := range map[int64]string{0: "0B", 1000: "1000B", 1024: "1KiB", 3 << 20: "3MiB", 1 << 30: "1GiB"} {
		if got := formatSize(in); got != want {
			t.Errorf("formatSize(%d) = %s, want %s", in, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"socket", "socket_mode", "timeout", "retry", "warm", "log"}
	for word, want := range map[string]string{
		"sokcet": "socket", "timout": "timeout", "retries": "retry", "wram": "warm", "sockt_mode": "socket_mode",
		"consul": "", "tls": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	only := func(there string) func(string) bool { return func(p string) bool { return p == there } }
	for there, want := range map[string]string{
		"/var/task/lift.yaml": "/var/task/lift.yaml", "/opt/lift/lift.yaml": "/opt/lift/lift.yaml", "lift.yaml": "lift.yaml",
	} {
		if got, err := find(env("LIFT_CONFIG", ""), only(there)); err != nil || got != want {
			t.Errorf("find = %s, %v; want %s", got, err, want)
		}
	}
	if got, err := find(env("LIFT_CONFIG", "/x"), only("lift.yaml")); err != nil || got != "/x" {
		t.Errorf("LIFT_CONFIG: find = %s, %v", got, err)
	}
	if _, err := find(env(), only("")); err == nil {
		t.Error("found what is not there")
	}
	all := func(string) bool { return true }
	if got, err := find(env("LAMBDA_TASK_ROOT", "/code"), only("/code/lift.yaml")); err != nil || got != "/code/lift.yaml" {
		t.Errorf("beside the code of a function: found %q, %v", got, err)
	}
	if got, _ := find(env(), all); got != "/var/task/lift.yaml" {
		t.Errorf("the order: %s", got)
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "${A}", "$${A}", "${A:-b}", "$$${", "${", "}"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, s, value string) {
		if x, bad := expand(escape(s), env("A", value)); bad != nil || x.text != s {
			t.Errorf("%q, escaped, is expanded to %q, %v", s, x.text, bad)
		}
		if x, bad := expand(s, env("A", value)); bad == nil && len(x.names) == 0 && len(x.text) > len(s) {
			t.Errorf("%q grew to %q without a variable", s, x.text)
		}
	})
}

func FuzzUnits(f *testing.F) {
	for _, s := range []string{"1s", "1m30s", "64KiB", "1 MiB", "0B", "9223372036s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil {
			if again, err := parseDuration(formatDuration(d)); err != nil || again != d {
				t.Errorf("%q: %v is written %q and read as %v, %v", s, d, formatDuration(d), again, err)
			}
		}
		if n, err := parseSize(s); err == nil {
			if again, err := parseSize(formatSize(n)); err != nil || again != n {
				t.Errorf("%q: %d is written %q and read as %d, %v", s, n, formatSize(n), again, err)
			}
		}
	})
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"orders": true, "a": true, "a.b-c_d.7": true, "7": true, "": false, "Orders": false, "-a": false, "a.": false, "a b": false, "ä": false, "a/b": false,
		strings.Repeat("a", 253): true, strings.Repeat("a", 254): false,
	} {
		if serviceName(name) != want {
			t.Errorf("serviceName(%q) = %v", name, !want)
		}
	}
	for name, want := range map[string]bool{"A": true, "_a1": true, "": false, "1A": false, "A-B": false, "A B": false, "Ä": false} {
		if variableName(name) != want {
			t.Errorf("variableName(%q) = %v", name, !want)
		}
	}
	for name, want := range map[string]bool{"API_TOKEN": true, "dbPassword": true, "SIGNING_KEY": true, "ORDERS_HOST": false, "PORT": false} {
		if secretName(name) != want {
			t.Errorf("secretName(%q) = %v", name, !want)
		}
	}
	for group, want := range map[string]bool{"app": true, "1000": true, "_x": true, "a.b-c": true, "-a": false, ".a": false, "a b": false, "a:b": false} {
		if (groupName(group) == nil) != want {
			t.Errorf("groupName(%q) = %v", group, groupName(group))
		}
	}
	mode := rule{kind: mode}
	for s, want := range map[string]bool{"0600": true, "600": true, "0777": true, "0660": true, "0000": false, "0400": false, "06000": false, "60": false, "-600": false, "+600": false, "0o600": false, "0888": false, "0000600": false, "": false} {
		if _, bad := mode.read(s, s); (bad == nil) != want {
			t.Errorf("mode %q: %v", s, bad)
		}
	}
}

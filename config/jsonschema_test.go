package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

// resolved is the schema, read by a validator that others wrote, which checks it
// and its defaults on the way.
func resolved(t testing.TB) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(JSONSchema(), &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// instance is a YAML text as a validator takes it; ok is false if it is none.
func instance(text string) (v any, ok bool) {
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return nil, false
	}
	content, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	return v, json.Unmarshal(content, &v) == nil
}

// valid is what the reader takes: examples, what print writes, mistakes put right.
func valid(t testing.TB) map[string]string {
	t.Helper()
	texts := map[string]string{}
	files, err := filepath.Glob("../examples/*/lift.yaml")
	more, err2 := filepath.Glob("../examples/*/*/lift.yaml")
	if err != nil || err2 != nil || len(files)+len(more) < 3 {
		t.Fatal(files, more, err, err2)
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(files, more...), pages...) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".yaml") {
			texts[path] = string(content)
			continue
		}
		for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
			if _, problems := Parse(path, []byte(block[1]), anything); len(problems) == 0 {
				texts[path+string(rune('a'+i))] = block[1]
			}
		}
	}
	for _, m := range mistakes() {
		if m.fixed != "" {
			texts[m.name] = m.fixed
		}
	}
	c := sound1(t.(*testing.T), firstService, env())
	texts["print"] = printed(t, c)
	return texts
}

// anything is an environment in which each variable is set.
func anything(name string) (string, bool) {
	if strings.HasPrefix(name, "AWS") || strings.HasPrefix(name, "LIFT") || strings.HasPrefix(name, "CONSUL") {
		return "", false
	}
	return "1", true
}

func TestJSONSchemaTakesWhatTheReaderTakes(t *testing.T) {
	schema := resolved(t)
	for name, text := range valid(t) {
		v, ok := instance(text)
		if !ok {
			t.Errorf("%s: not YAML", name)
			continue
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// The mistakes that a schema cannot see are named; all others it refuses.
func TestJSONSchemaRefusesMistakes(t *testing.T) {
	schema := resolved(t)
	unseen := map[string]bool{
		"an endpoint twice": true, "an address twice, with two ids": true, "an id twice": true, // written in two ways
		"no services": true, "a token file that is not there": true, "a folder as the token file": true,
		"sigv4 without a region": true, "sigv4 without a region, by name": true, // the machine says
		"no address": true, "no address in a URL": true, "no address as a name": true, "a variable as a default": true,
		"octal": true, "hexadecimal": true, "an exponent": true, "a thousands separator": true, // numbers all the same
		"a number for text": false, "a huge size": true,
	}
	seen := 0
	for _, m := range mistakes() {
		v, ok := instance(m.text)
		if !ok || unseen[m.name] {
			continue
		}
		seen++
		if schema.Validate(v) == nil {
			t.Errorf("%s is valid by the schema:\n%s", m.name, m.text)
		}
	}
	for name, text := range map[string]string{
		"a key of services under defaults": "defaults: {endpoints: [\"h:1\"]}",
		"no from":                          "services: {a: {timeout: 1s}}",
		"static without endpoints":         "services: {a: {from: static}}",
		"dns without name":                 "services: {a: {from: dns, dns: {port: 1}}}",
		"endpoints with dns":               "services: {a: {from: dns, dns: {name: a, port: 1}, endpoints: [\"h:1\"]}}",
		"a wrong key in an environment":    "environments: {prod: {sokcet: /x}}",
		"environments in one":              "environments: {prod: {environments: {}}}",
		"a wrong name":                     "services: {Orders: {from: static, endpoints: [\"h:1\"]}}",
		"a reserved name":                  "services: {lift: {from: static, endpoints: [\"h:1\"]}}",
		"tls as text":                      "defaults: {tls: \"on\"}",
		"a choice":                         "log: {level: loud}",
		"no list":                          "services: {a: {from: static, endpoints: []}}",
	} {
		v, ok := instance(text)
		if !ok {
			t.Fatal(name)
		}
		if _, problems := Parse("f", []byte(text), env()); schema.Validate(v) == nil || len(problems) == 0 {
			t.Errorf("%s is valid:\n%s", name, text)
		}
	}
	if seen < 25 {
		t.Errorf("%d mistakes were tried", seen)
	}
}

// Each key of the tables is in the schema, with an explanation, and each of its
// patterns takes the samples.
func TestJSONSchemaHasEveryKey(t *testing.T) {
	var all any
	if err := json.Unmarshal(JSONSchema(), &all); err != nil {
		t.Fatal(err)
	}
	at := func(v any, names ...string) any {
		for _, name := range names {
			m, _ := v.(map[string]any)
			v = m[name]
		}
		return v
	}
	for _, r := range rulesOf(serviceSettings(), func(*rule) bool { return true }) {
		v := at(all, "definitions", "service")
		for name := range strings.SplitSeq(r.path, ".") {
			if below, ok := at(v, "anyOf").([]any); ok { // tls, which is true or a mapping
				v = below[len(below)-1]
			}
			v = at(v, "properties", name)
		}
		if says, _ := at(v, "description").(string); !strings.Contains(says, r.means) {
			t.Errorf("%s is not explained: %v", r.path, v)
		}
	}
}

// Whatever value the reader takes, the key's schema takes too.
func FuzzJSONSchemaPatterns(f *testing.F) {
	type tried struct {
		rule    *rule
		pattern *regexp.Regexp
	}
	var all []tried
	for _, r := range append(rulesOf(globalSettings(), func(*rule) bool { return true }), rulesOf(serviceSettings(), func(*rule) bool { return true })...) {
		n := r.schema()
		if items, ok := n["items"].(node); ok {
			n = items
		}
		if pattern, ok := n["pattern"].(string); ok {
			all = append(all, tried{r, regexp.MustCompile(pattern)})
			f.Add(r.example())
		}
	}
	for _, s := range []string{"1h2m3.5s", ".5s", " 1 KiB", "1s .. 2s", "a:1;", "a:1; zone=x;weight=+2 ", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a", "HTTPS://h", "a--1", "/$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, try := range all {
			if try.rule.takes(s) && !try.pattern.MatchString(s) {
				t.Errorf("%s takes %q, which its pattern %s does not", try.rule.path, s, try.pattern)
			}
		}
	})
}

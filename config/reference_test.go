package config

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables into docs/configuration.md")

const referencePage = "../docs/configuration.md"

// table writes rules as Markdown.
func table(rules []*rule) string {
	var b strings.Builder
	b.WriteString("| key | meaning | values | default | why |\n|---|---|---|---|---|\n")
	for _, r := range rules {
		preset := "required"
		switch {
		case r.preset != "":
			preset = "`" + r.preset + "`"
		case r.derived != "":
			preset = r.derived
		}
		b.WriteString("| `" + r.path + "` | " + r.means + " | " + r.values() + " | " + preset + " | " + r.why + " |\n")
	}
	return b.String()
}

func (r *rule) values() string {
	switch r.kind {
	case choice:
		return "`" + strings.Join(r.choices, "`, `") + "`"
	case text:
		return "text"
	case list:
		return "list of texts"
	case toggle:
		return "`true`, `false`"
	default:
		return r.kind.String() + ", `" + r.low + "` to `" + r.high + "`"
	}
}

func rulesOf[T any](settings []setting[T], keep func(*rule) bool) (rules []*rule) {
	for i := range settings {
		if keep(&settings[i].rule) {
			rules = append(rules, &settings[i].rule)
		}
	}
	return rules
}

// docs/configuration.md holds every key of the tables, as the tables say it.
func TestReferenceIsInTheDocs(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	got := string(page)
	for name, rules := range map[string][]*rule{
		"top":      rulesOf(globalSettings(), func(*rule) bool { return true }),
		"service":  rulesOf(serviceSettings(), func(r *rule) bool { return r.own }),
		"defaults": rulesOf(serviceSettings(), func(r *rule) bool { return !r.own }),
	} {
		begin, end := "<!-- keys: "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(got, begin)
		old, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place %q", referencePage, begin)
		}
		want := table(rules)
		if old != want && !*update {
			t.Errorf("%s is behind the table of keys (%s); run go test ./config -run Reference -update", referencePage, name)
		}
		got = before + begin + want + end + after
	}
	if *update {
		if err := os.WriteFile(referencePage, []byte(got), 0o644); err != nil { //nolint:gosec // a page of documentation
			t.Fatal(err)
		}
	}
}

// Each rule of the tables is sound: its bounds and its default read, and it says
// what it is for.
func TestTablesAreSound(t *testing.T) {
	all := append(rulesOf(globalSettings(), func(*rule) bool { return true }), rulesOf(serviceSettings(), func(*rule) bool { return true })...)
	for _, r := range all {
		if r.means == "" || r.why == "" {
			t.Errorf("%s does not say what it means and why", r.path)
		}
		samples := []string{r.preset}
		switch r.kind {
		case choice:
			samples = append(samples, r.choices...)
		case text, list:
			if r.check == nil {
				t.Errorf("%s: text without a check", r.path)
			}
		case span:
			samples = append(samples, r.low+".."+r.high)
		case toggle:
			samples = append(samples, "true", "false")
		default:
			samples = append(samples, r.low, r.high)
		}
		for _, s := range samples {
			if s == "" {
				continue
			}
			if _, bad := r.read(s, s); bad != nil {
				t.Errorf("%s: %s %s", r.path, bad.what, bad.remedy)
			}
		}
	}
}

// The example in the docs is one that loads.
func TestExampleInTheDocsLoads(t *testing.T) {
	example := exampleOf(t, referencePage)
	for _, environment := range []string{"", "prod"} {
		c := sound1(t, example, env("LIFT_ENV", environment, "ORDERS_HOST", "10.0.1.7"))
		if len(c.Services) != 2 {
			t.Errorf("%d services", len(c.Services))
		}
	}
}

func TestExamplesOfConsulLoad(t *testing.T) {
	if c := sound1(t, exampleOf(t, "../docs/consul.md"), env()); len(c.Services) != 3 {
		t.Errorf("%d services", len(c.Services))
	}
}

func TestExampleOfDNSLoads(t *testing.T) {
	if c := sound1(t, exampleOf(t, "../docs/dns.md"), env()); len(c.Services) != 3 {
		t.Errorf("%d services", len(c.Services))
	}
}

func TestExampleOfUpstreamsLoads(t *testing.T) {
	c, problems := Load(withFiles(t, exampleOf(t, "../docs/upstreams.md")), env())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Services {
		if (s.Transport.TLS != nil) != (s.Name != "shop") {
			t.Errorf("%s: %v", s.Name, s.Transport.TLS)
		}
	}
}

// exampleOf returns the first piece of YAML on a page.
func exampleOf(t *testing.T, path string) string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatalf("%s has no example", path)
	}
	return example
}

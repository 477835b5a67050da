package config

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables into docs/configuration-keys.md")

const (
	guidePage     = "../docs/configuration.md"
	referencePage = "../docs/configuration-keys.md"
)

// table writes rules as Markdown, below a line that says where they stand.
func table(t *testing.T, in string, rules []*rule) string {
	t.Helper()
	stands := "At the top of the file"
	if in == "service" {
		stands = "Under `services.NAME`, or under `defaults` for all services"
		if rules[0].own {
			stands = "Under `services.NAME`"
		}
		if with := rules[0].with; with != "" {
			stands += ", with `from: " + with + "`"
		}
	}
	var b strings.Builder
	b.WriteString(stands + ":\n\n| key | meaning | values | default | why |\n|---|---|---|---|---|\n")
	for _, r := range rules {
		preset := "required"
		switch {
		case r.preset != "":
			preset = "`" + r.preset + "`"
		case r.derived != "":
			preset = r.derived
		}
		own := ""
		if in == "service" && !r.own && rules[0].own {
			own = " (also under `defaults`)"
		}
		b.WriteString("| `" + r.path + "`" + own + " | " + r.means + " | " + r.values() + " | " + preset + " | " + r.why + " |\n")
	}
	return b.String()
}

func (r *rule) values() string {
	such := ""
	if r.sample != "" {
		such = ", such as `" + r.sample + "`"
	}
	switch r.kind {
	case choice:
		return "`" + strings.Join(r.choices, "`, `") + "`"
	case text:
		return "text" + such
	case list:
		return "list of texts" + such
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

// docs/configuration-keys.md holds every key of the tables once, as the tables say
// it. Each of its marks names a table, and what the paths there begin with.
func TestReferenceIsInTheDocs(t *testing.T) {
	content, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	every := func(*rule) bool { return true }
	tables := map[string][]*rule{"top": rulesOf(globalSettings(), every), "service": rulesOf(serviceSettings(), every)}
	page := regexp.MustCompile(`(?s)(<!-- keys: (\w+) ([\w ]+) -->\n)(.*?)(<!-- end -->)`).ReplaceAllStringFunc(string(content), func(place string) string {
		begin, rest, _ := strings.Cut(place, "\n")
		fields := strings.Fields(strings.Trim(begin, "<!-> "))
		in, firsts := fields[1], fields[2:]
		var here, others []*rule
		for _, r := range tables[in] {
			if first, _, _ := strings.Cut(r.path, "."); slices.Contains(firsts, first) {
				here = append(here, r)
			} else {
				others = append(others, r)
			}
		}
		if len(here) == 0 {
			t.Fatalf("%s: there are no keys for %s", referencePage, begin)
		}
		tables[in] = others
		want := table(t, in, here) + "<!-- end -->"
		if rest != want && !*update {
			t.Errorf("%s is behind the table of keys at %s; run go test ./config -run Reference -update", referencePage, begin)
		}
		return begin + "\n" + want
	})
	for in, left := range tables {
		for _, r := range left {
			t.Errorf("%s has no place for %s; add its first word to the mark of a section, <!-- keys: %s ... -->", referencePage, r.path, in)
		}
	}
	if *update {
		if err := os.WriteFile(referencePage, []byte(page), 0o644); err != nil { //nolint:gosec // a page of documentation
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
		samples := []string{r.preset, r.sample}
		switch r.kind {
		case choice:
			samples = append(samples, r.choices...)
		case text, list:
			if r.check == nil || r.example() == "" {
				t.Errorf("%s: text without a check, or without a sample", r.path)
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
	example := exampleOf(t, guidePage)
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

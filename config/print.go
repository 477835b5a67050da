package config

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

// Print writes the effective values as YAML, each with a comment that says where
// it came from; what a secret went into is masked. The output, read again, is
// the same configuration, but for what is masked or broken.
func (c *Config) Print(w io.Writer) error {
	p := &printer{}
	if c.Broken == nil {
		p.line(0, "# "+c.File+c.inEnvironment())
	} else {
		p.line(0, "# broken: "+c.Broken.Error())
	}
	globals := globalSettings()
	rules := make([]*rule, len(globals))
	for i := range globals {
		rules[i] = &globals[i].rule
	}
	p.layer(0, rules, c.globals)

	settings := serviceSettings()
	rules = make([]*rule, len(settings))
	for i := range settings {
		rules[i] = &settings[i].rule
	}
	if !slices.ContainsFunc(c.services, func(s *service) bool { return s.broken == nil }) {
		p.line(0, "services: {}")
	} else {
		p.line(0, "services:")
	}
	for _, s := range c.services {
		if s.broken != nil {
			p.line(1, "# "+strconv.Quote(s.name)+" is broken: "+s.broken.Error())
			continue
		}
		p.line(1, s.name+":")
		p.layer(2, rules, s.values)
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

func (c *Config) inEnvironment() string {
	if c.Environment == "" {
		return ""
	}
	return ", environment " + strconv.Quote(c.Environment)
}

type printer struct{ out strings.Builder }

func (p *printer) line(depth int, s string) {
	p.out.WriteString(strings.Repeat("  ", depth) + oneLine(s) + "\n")
}

// layer writes values in the table's order, opening mappings as the paths do.
func (p *printer) layer(depth int, rules []*rule, values layer) {
	var open []string
	for _, r := range rules {
		d, ok := values[r.path]
		if !ok && r.eachCall {
			p.line(depth, "# "+r.path+": "+r.derived+"  # default")
		}
		if !ok || r.kind == toggle && d.text == "true" && said(values, r.path) {
			continue
		}
		parts := strings.Split(r.path, ".")
		groups := parts[:len(parts)-1]
		same := 0
		for same < len(groups) && same < len(open) && groups[same] == open[same] {
			same++
		}
		for i := same; i < len(groups); i++ {
			p.line(depth+i, groups[i]+":")
		}
		open = groups
		p.line(depth+len(groups), parts[len(groups)]+": "+written(r.kind, d)+"  # "+d.origin.String())
	}
}

// said reports whether there is a value below a path, which says that it is true.
func said(values layer, path string) bool {
	for p := range values {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// written is a value as YAML.
func written(k kind, d datum) string {
	switch {
	case d.secret:
		return strconv.Quote(masked)
	case k == list:
		items := make([]string, len(d.items))
		for i, item := range d.items {
			items[i] = quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case k == text || k == mode:
		return quote(d.text)
	default:
		return d.text
	}
}

// quote writes s as a double-quoted YAML scalar. Go's escapes are YAML's for
// text that is UTF-8, which is all that gets this far.
func quote(s string) string { return strconv.Quote(escape(s)) }

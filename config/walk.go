package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// masked stands for a value that nobody should read.
const masked = "***"

// walker reads nodes and collects problems. Its fields say where it is.
type walker struct {
	file     string
	lookup   Lookup
	problems Problems
	// environment is the overlay that is being read, "" outside; in an idle one,
	// which is not chosen, variables may be missing.
	environment string
	idle        bool
	// service is the one that a fault breaks.
	service string
	// from is the registry whose services a fault breaks.
	from string
	// servicesAt is the path of the mapping whose keys are services.
	servicesAt string
}

func (w *walker) fault(n *yaml.Node, path, what, remedy string) {
	w.problems = append(w.problems, Problem{
		File: w.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Path: path, What: what, Remedy: remedy,
		Service: w.service, Source: w.from, Environment: w.environment,
	})
}

// plain reports whether n is free of YAML's oddities, and tells of them if not.
func (w *walker) plain(n *yaml.Node, path string) bool {
	if what, remedy := oddity(n); what != "" {
		w.fault(n, path, what, remedy)
		return false
	}
	return true
}

// pairs visits the entries of a mapping, in order, each key once.
func (w *walker) pairs(n *yaml.Node, path, want string, visit func(key, value *yaml.Node)) {
	if !w.plain(n, path) {
		return
	}
	if n.Kind != yaml.MappingNode {
		w.fault(n, path, "this is "+describe(n), "want "+want)
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !w.plain(key, path) {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			w.fault(key, path, "this key is "+describe(key), "want a word")
			continue
		}
		if key.ShortTag() == "!!merge" {
			w.fault(key, path, "merge keys (<<) are not read", "what services share stands under defaults")
			continue
		}
		if line, twice := seen[key.Value]; twice {
			w.twice(key, path, line)
			continue
		}
		seen[key.Value] = key.Line
		visit(key, value)
	}
}

// twice tells of a key's second coming; that of a service breaks the service.
func (w *walker) twice(key *yaml.Node, path string, first int) {
	outer := w.service
	if path == w.servicesAt && path != "" {
		w.service = key.Value
	}
	w.fault(key, join(path, key.Value), fmt.Sprintf("the key is there twice, first on line %d", first), "remove one")
	w.service = outer
}

// settings reads a mapping of a schema's keys into a layer. at is where the
// mapping stands in the file, inside where it stands in the schema. special, if
// not nil, may take a key for itself.
func (w *walker) settings(n *yaml.Node, s *schema, at, inside string, into layer, special func(key, value *yaml.Node) bool) {
	want := "a mapping of " + strings.Join(s.children[inside], ", ")
	w.pairs(n, at, want, func(key, value *yaml.Node) {
		path, here := join(inside, key.Value), join(at, key.Value)
		switch {
		case special != nil && special(key, value):
		case s.rules[path] != nil && s.children[path] != nil && value.Kind == yaml.MappingNode:
			into[path] = datum{text: "true", origin: w.origin(value)} // a toggle, said by what is below it
			w.settings(value, s, here, path, into, nil)
		case s.rules[path] != nil:
			d, ok := w.value(value, s.rules[path], here)
			d.bad = !ok
			into[path] = d
		case s.children[path] != nil:
			if outer := w.from; inside == "registry" || path == "register" {
				w.from = key.Value
				defer func() { w.from = outer }()
			}
			w.settings(value, s, here, path, into, nil)
		default:
			w.unknown(key, here, key.Value, s, inside)
		}
	})
}

// unknown tells of a key that is not in the schema, and what may have been meant.
func (w *walker) unknown(key *yaml.Node, here, name string, s *schema, inside string) {
	known := s.children[inside]
	what := "unknown key " + strconv.Quote(name)
	if near := nearest(name, known); near != "" {
		w.fault(key, here, what, "did you mean "+near+"?")
		return
	}
	for _, parent := range sortedKeys(s.children) {
		if parent != inside && slices.Contains(s.children[parent], name) {
			w.fault(key, here, what, name+" stands under "+orTop(parent))
			return
		}
	}
	w.fault(key, here, what, "known here: "+strings.Join(known, ", "))
}

func orTop(parent string) string {
	if parent == "" {
		return "the service itself or defaults"
	}
	return parent
}

// value reads one key's value.
func (w *walker) value(n *yaml.Node, r *rule, here string) (datum, bool) {
	if !w.plain(n, here) {
		return datum{}, false
	}
	if r.kind != list {
		return w.scalar(n, r, here)
	}
	if n.Kind != yaml.SequenceNode {
		w.fault(n, here, "this is "+describe(n), "want a list, such as [\"10.0.1.7:8080\"]")
		return datum{}, false
	}
	if len(n.Content) == 0 {
		w.fault(n, here, "the list is empty", "want one entry at least")
		return datum{}, false
	}
	all := datum{origin: w.origin(n)}
	sound := true
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", here, i)
		d, ok := datum{}, w.plain(item, at)
		if ok {
			d, ok = w.scalar(item, r, at)
		}
		if !ok {
			sound = false
			continue
		}
		all.items = append(all.items, d.text)
		all.secret = all.secret || d.secret
		all.origin.expanded = append(all.origin.expanded, d.origin.expanded...)
	}
	return all, sound
}

func (w *walker) scalar(n *yaml.Node, r *rule, here string) (datum, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		w.fault(n, here, "this is "+describe(n), "want a "+r.wants())
		return datum{}, false
	}
	x, bad := expand(n.Value, w.lookup)
	if bad != nil {
		if !w.idle {
			w.fault(n, here, bad.what, bad.remedy)
		}
		return datum{}, false
	}
	if len(x.names) == 0 && !r.takes(n) {
		w.fault(n, here, "this is "+describe(n), "want a "+r.wants())
		return datum{}, false
	}
	shown := strconv.Quote(x.text)
	if x.secret {
		shown = masked
	}
	d, bad := r.read(x.text, shown)
	if bad != nil {
		w.fault(n, here, bad.what, bad.remedy)
		return datum{}, false
	}
	d.origin, d.secret = w.origin(n), x.secret
	d.origin.expanded = x.names
	return d, true
}

func (w *walker) origin(n *yaml.Node) origin {
	return origin{file: w.file, line: n.Line, column: n.Column, environment: w.environment, service: w.service != ""}
}

// takes reports whether a scalar, as it is written, can be the rule's: numbers
// without quotes, text with them where it would be a number otherwise. What was
// made with variables is judged by its content alone.
func (r *rule) takes(n *yaml.Node) bool {
	tag := n.ShortTag()
	switch r.kind {
	case whole:
		return tag == "!!int"
	case number:
		return tag == "!!int" || tag == "!!float"
	case text, list:
		return tag == "!!str"
	case mode:
		return tag == "!!int" || tag == "!!str"
	case toggle:
		return tag == "!!bool" && (n.Value == "true" || n.Value == "false") // and none of YAML's other words
	default: // the value's own reader says it better: 3 is no duration with a unit
		return tag != "!!bool"
	}
}

func (r *rule) wants() string {
	switch r.kind {
	case whole, number:
		return fmt.Sprintf("%s from %s to %s, without quotes", r.kind, r.low, r.high)
	case choice:
		return strings.Join(r.choices, " or ")
	case text, list:
		return "text (in quotes, if it looks like a number)"
	case mode:
		return `file mode, such as "0600"`
	case toggle:
		return "plain true or false"
	default:
		return fmt.Sprintf("%s, such as %s", r.kind, r.example())
	}
}

package config

import (
	"fmt"
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
	// schemas are all there are, for keys that stand in another one.
	schemas []*schema
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
		remedy := "want " + want
		if written, ok := missingSpace(n.Value); ok && n.Kind == yaml.ScalarNode {
			w.fault(n, path, "a space is missing after the colon", "write "+written)
			return
		}
		w.fault(n, path, described(n), remedy)
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
		if strings.Contains(key.Value, "${") {
			w.fault(key, path, "the key "+strconv.Quote(key.Value)+" holds a variable, and variables are read in values only", "write the key out")
			continue
		}
		if key.ShortTag() == "!!merge" {
			w.fault(key, path, "merge keys (<<) are not read", "put what services share under defaults")
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
	w.fault(key, join(path, key.Value), fmt.Sprintf("this key is there twice, first on line %d", first), "remove one")
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
			w.unknown(n, key, here, s, inside)
		}
	})
}

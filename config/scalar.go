package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value reads one key's value.
func (w *walker) value(n *yaml.Node, r *rule, here string) (datum, bool) {
	if !w.plain(n, here) {
		return datum{}, false
	}
	if r.kind != list {
		return w.scalar(n, r, here)
	}
	_, key := split(r.path)
	if n.Kind != yaml.SequenceNode {
		entry := r.example()
		if n.Kind == yaml.ScalarNode && (strings.Contains(n.Value, "${") || r.takes(n.Value)) {
			entry = n.Value
		}
		w.fault(n, here, described(n)+", not a list", fmt.Sprintf("write %s: [%q]", key, entry))
		return datum{}, false
	}
	if len(n.Content) == 0 {
		w.fault(n, here, "the list is empty", fmt.Sprintf("write %s: [%q], or remove the key", key, r.example()))
		return datum{}, false
	}
	all := datum{origin: w.origin(n)}
	sound := true
	seen := map[string]int{}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", here, i)
		d, ok := datum{}, w.plain(item, at)
		if ok {
			d, ok = w.scalar(item, r, at)
		}
		if !ok || !w.single(item, r, at, d, i, seen) {
			sound = false
			continue
		}
		all.items = append(all.items, d.text)
		all.secret = all.secret || d.secret
		all.origin.expanded = append(all.origin.expanded, d.origin.expanded...)
	}
	return all, sound
}

// single reports whether nothing that a list's entry i names has been named by
// one before, and tells of it if so. seen says who named what.
func (w *walker) single(n *yaml.Node, r *rule, here string, d datum, i int, seen map[string]int) bool {
	if r.names == nil {
		return true
	}
	for _, name := range r.names(d.text) {
		first, twice := seen[name]
		seen[name] = i
		if !twice {
			continue
		}
		what := strconv.Quote(name) + " is there twice"
		if d.secret {
			what = masked + " names what is there already"
		}
		w.fault(n, here, fmt.Sprintf("%s, first in entry %d", what, first), "remove one, or give each its own address and id")
		return false
	}
	return true
}

func (w *walker) scalar(n *yaml.Node, r *rule, here string) (datum, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		w.fault(n, here, described(n), r.wanted())
		return datum{}, false
	}
	x, fault := expand(n.Value, w.lookup)
	if fault == nil && len(x.names) == 0 {
		fault = r.written(n)
	}
	if fault != nil {
		if !w.idle || !fault.unset {
			w.fault(n, here, fault.what, fault.remedy)
		}
		return datum{}, false
	}
	shown := strconv.Quote(x.text)
	switch {
	case x.secret:
		shown = masked
	case n.Style&quoted == 0 && isNumber(strings.TrimPrefix(x.text, "-")):
		shown = x.text
	}
	d, fault := r.read(x.text, shown)
	if fault != nil {
		if x.secret && r.kind != text && r.kind != list {
			fault.remedy = r.wanted() // the other may be made of the value
		}
		w.fault(n, here, fault.what, fault.remedy)
		if fault.secret {
			w.problems[len(w.problems)-1].secret = true
		}
		return datum{}, false
	}
	d.origin, d.secret = w.origin(n), x.secret
	d.origin.expanded = x.names
	return d, true
}

func (w *walker) origin(n *yaml.Node) origin {
	return origin{file: w.file, line: n.Line, column: n.Column, environment: w.environment, service: w.service != ""}
}

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle

// written tells where a scalar, as it is written, cannot be the rule's: numbers
// have no quotes, and text has them where it would be a number otherwise. What was
// made with variables is judged by its content alone.
func (r *rule) written(n *yaml.Node) *fault {
	tag := n.ShortTag()
	switch r.kind {
	case whole, number, toggle:
		if n.Style&quoted != 0 && r.takes(n.Value) {
			return bad(strconv.Quote(n.Value)+" is in quotes", "write "+n.Value)
		}
		if r.kind == toggle && (tag != "!!bool" || n.Value != "true" && n.Value != "false") {
			return bad(strconv.Quote(n.Value)+" is neither true nor false", r.flag(n.Value))
		}
	case text, list:
		if tag != "!!str" && r.takes(n.Value) {
			return bad(described(n)+", not text", "put it in quotes: "+strconv.Quote(n.Value))
		}
		if tag != "!!str" {
			return bad(described(n)+", not text", r.wanted())
		}
	case duration, span, size, choice, mode: // the value's own reader says what is wrong
	}
	return nil
}

// flag says how to write a word of YAML 1.1 for true or false.
func (r *rule) flag(s string) string {
	switch strings.ToLower(s) {
	case "yes", "on", "y", "true", "1":
		return "write true"
	case "no", "off", "n", "false", "0":
		return "write false"
	}
	return r.wanted()
}

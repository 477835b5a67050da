package config

import "slices"

// kind is what a key's value has to be.
type kind uint8

const (
	duration kind = iota // 250ms, 2s, 1m30s
	span                 // two durations, 1s..60s
	size                 // 64KiB, 1MiB
	whole                // 3
	number               // 0.2
	text                 // any, further checked by rule.check
	choice               // one of rule.choices
	mode                 // 0600
	list                 // of texts, each checked by rule.check
	toggle               // true or false; a mapping of the keys below it is true
)

func (k kind) String() string {
	return [...]string{"duration", "range of durations", "size", "whole number", "number", "text", "choice", "file mode", "list", "toggle"}[k]
}

// rule is what the table says of one key.
type rule struct {
	path string // dots lead into mappings
	kind kind
	// low and high bound the value, both inclusive, written as the value is.
	low, high string
	// preset is the default, written as in a file. "" with derived set: worked out
	// from other keys, as derived says; "" without: the key is required.
	preset  string
	derived string
	// eachCall: derived is worked out anew for each call, so that print has no value
	// for it and says derived in a comment.
	eachCall bool
	// own: the key stands in a service, not in defaults.
	own bool
	// live: a reload takes it up; else it takes effect at the next start.
	live bool
	// with: the key goes with this value of from alone.
	with    string
	choices []string
	check   func(string) error
	// sample is a valid value for messages and editors, where there is no preset.
	sample string
	// meant says what to write for words that people try where a choice is wanted.
	meant map[string]string
	// pattern, if set, is a regular expression that each value matches which check
	// accepts, for the JSON Schema. It is in the syntax that ECMA 262 and Go share.
	pattern string
	// names, if set, returns what an entry of a list names: no two may name the same.
	names func(string) []string
	// variable, if set, is the variable that overrides the file.
	variable string
	// means and why are for docs/configuration-keys.md.
	means, why string
}

// setting is a rule and the field that its value goes to.
type setting[T any] struct {
	rule
	put func(*T, datum)
}

// datum is a value that was read, checked and laid out by kind.
type datum struct {
	// text is the value as print writes it, without quotes.
	text     string
	items    []string // kind list
	ns, high int64    // duration in ns (span: both); size in bytes; whole
	f        float64  // number
	origin   origin
	secret   bool
	bad      bool // the key is there, and its value was reported as a problem
}

// layer holds what one part of a configuration says, by the rules' paths.
type layer map[string]datum

// schema is a table made ready for looking up.
type schema struct {
	// place says where the keys stand: at the top of the file.
	place string
	rules map[string]*rule
	// children of a mapping's path ("" is the top), leaves and mappings.
	children map[string][]string
}

func schemaOf[T any](place string, settings []setting[T], keep func(*rule) bool) *schema {
	s := &schema{place: place, rules: make(map[string]*rule, len(settings)), children: map[string][]string{}}
	for i := range settings {
		r := &settings[i].rule
		if keep != nil && !keep(r) {
			continue
		}
		s.rules[r.path] = r
		s.adopt(r.path)
	}
	return s
}

// adopt files path under its parents.
func (s *schema) adopt(path string) {
	parent, name := split(path)
	if s.children[parent] == nil && parent != "" {
		s.adopt(parent)
	}
	if !slices.Contains(s.children[parent], name) {
		s.children[parent] = append(s.children[parent], name)
	}
}

func split(path string) (parent, name string) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' {
			return path[:i], path[i+1:]
		}
	}
	return "", path
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

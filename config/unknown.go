package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unknown tells of a key that is not in the schema, and of what may have been
// meant. n is the mapping that it stands in.
func (w *walker) unknown(n, key *yaml.Node, here string, s *schema, inside string) {
	name := key.Value
	known := s.children[inside]
	what := "unknown key " + strconv.Quote(name)
	tell := func(remedy string) { w.fault(key, here, what, remedy) }
	if written, ok := missingSpace(name); ok {
		w.fault(key, here, "a space is missing after the colon", "write "+written)
		return
	}
	near := nearest(name, known)
	if near != "" && (strings.HasPrefix(near, name) || strings.HasPrefix(name, near)) {
		tell("did you mean " + near + "?")
		return
	}
	if name == "port" && inside == "" {
		if remedy := portOf(entry(n, "from")); remedy != "" {
			tell(remedy)
			return
		}
	}
	if parents := s.parents(name, inside, entry(n, "from")); len(parents) > 0 {
		tell(name + " stands " + alternatives(parents))
		return
	}
	for _, other := range w.schemas {
		if other != s && slices.Contains(other.children[""], name) {
			tell(name + " stands " + other.place)
			return
		}
	}
	if near != "" {
		tell("did you mean " + near + "?")
		return
	}
	tell("the keys here are " + strings.Join(known, ", "))
}

// parents are the places in the schema, other than inside, that have a key of that
// name; of those that go with one value of from each, the one that is from's.
func (s *schema) parents(name, inside, from string) (places []string) {
	for _, parent := range sortedKeys(s.children) {
		if parent == inside || !slices.Contains(s.children[parent], name) {
			continue
		}
		if parent == "" {
			places = append(places, s.place)
			continue
		}
		place := "under " + parent
		if r := s.rules[join(parent, name)]; r != nil && r.with != "" && r.with == from {
			return []string{place}
		}
		places = append(places, place)
	}
	return places
}

// entry is the value of a mapping's key, "" if there is none.
func entry(n *yaml.Node, key string) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// portOf says where the port stands in a service that comes from static or url.
func portOf(from string) string {
	switch from {
	case "static":
		return `the port is a part of each endpoint: endpoints: ["10.0.1.7:8080"]`
	case "url":
		return "the port is a part of the URL: url: http://orders.internal:8080"
	}
	return ""
}

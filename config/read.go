package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
)

// part is the file's own part, or one overlay: they have the same shape.
type part struct {
	global, defaults layer
	services         map[string]layer
	order            []string // the services, as they come
	at               map[string]origin
}

func newPart() *part {
	return &part{global: layer{}, defaults: layer{}, services: map[string]layer{}, at: map[string]origin{}}
}

// reader knows the tables and the schemas made of them.
type reader struct {
	walker
	text         []byte // of the file, for excerpts; nil if it was not read
	globalTable  []setting[Config]
	serviceTable []setting[mesh.ServiceConfig]
	presets      layer // of both tables

	top, globals, shared, single *schema  // top is globals and environments
	chosen                       string   // the environment
	byVariable                   bool     // $LIFT_ENV chose it
	elsewhere                    []string // environments, not chosen, that have services
	warnings                     Problems
}

// document reads the root: the file's own part and the chosen overlay.
func (r *reader) document(root *yaml.Node) (own, overlay *part) {
	own, overlay = newPart(), newPart()
	var environments *yaml.Node
	r.part(root, r.top, "", own, func(key, value *yaml.Node) bool {
		if key.Value != "environments" {
			return false
		}
		environments = value
		return true
	})
	found := false
	var names []string
	if environments != nil {
		r.pairs(environments, "environments", "a mapping of environments' names to overlays", func(key, value *yaml.Node) {
			names = append(names, key.Value)
			into := newPart()
			if key.Value == r.chosen {
				into, found = overlay, true
			}
			r.environment, r.idle = key.Value, key.Value != r.chosen
			r.part(value, r.globals, join("environments", key.Value), into, nil)
			r.environment, r.idle = "", false
			if into != overlay && len(into.order) > 0 {
				r.elsewhere = append(r.elsewhere, key.Value)
			}
		})
	}
	if r.chosen != "" && !found {
		at := root
		if environments != nil {
			at = environments
		}
		what, without := fmt.Sprintf("the environment %q was asked for, and the file has none of that name", r.chosen), "do not ask for one"
		if r.byVariable {
			what, without = fmt.Sprintf("LIFT_ENV is %q, and the file has no environment of that name", r.chosen), "unset LIFT_ENV"
		}
		remedy := fmt.Sprintf("add environments: {%s: {}}, or %s", r.chosen, without)
		if len(names) > 0 {
			remedy = "choose " + alternatives(names) + ", " + remedy
		}
		r.fault(at, "environments", what, remedy)
	}
	return own, overlay
}

func (r *reader) part(n *yaml.Node, keys *schema, at string, into *part, more func(key, value *yaml.Node) bool) {
	r.settings(n, keys, at, "", into.global, func(key, value *yaml.Node) bool {
		switch key.Value {
		case "defaults":
			r.settings(value, r.shared, join(at, "defaults"), "", into.defaults, r.ownKey(join(at, "defaults")))
		case "services":
			r.serviceNodes(value, join(at, "services"), into)
		default:
			return more != nil && more(key, value)
		}
		return true
	})
}

// ownKey tells of a service's own key under defaults.
func (r *reader) ownKey(at string) func(key, value *yaml.Node) bool {
	return func(key, _ *yaml.Node) bool {
		rule := r.single.rules[key.Value]
		group := r.single.children[key.Value] != nil && r.shared.children[key.Value] == nil
		if (rule == nil || !rule.own) && !group {
			return false
		}
		r.fault(key, join(at, key.Value), "this key is for single services", "move it to services.NAME."+key.Value)
		return true
	}
}

// serviceName reports whether s can stand where a host's name does.
func serviceName(s string) bool {
	const marks = "._-"
	return s != "" && len(s) <= 253 && only(s, marks) && s == strings.ToLower(s) && strings.Trim(s, marks) == s
}

func (r *reader) serviceNodes(n *yaml.Node, at string, into *part) {
	r.servicesAt = at
	r.pairs(n, at, "a mapping of services' names to their settings", func(key, value *yaml.Node) {
		name := key.Value
		here := join(at, name)
		r.within(name, func() {
			written, spaceless := missingSpace(name)
			switch lower := lift.ServiceName(name); {
			case spaceless:
				r.fault(key, here, "a space is missing after the colon", "write "+written)
			case lower != name && into.services[lower] != nil:
				r.fault(key, here, fmt.Sprintf("the service %s is there already, on line %d, and names that differ only in case are one name", lower, into.at[lower].line), "remove one")
			case lower != name && serviceName(lower):
				r.fault(key, here, "the name has upper-case letters", "write "+lower+"; calls find it in any case")
			case !serviceName(name):
				r.fault(key, here, strconv.Quote(name)+" is not a valid name for a service", "want lower-case letters, digits, dots, dashes and underscores, such as orders, because it stands where a host's name does")
			case name == "lift" || name == "localhost":
				r.fault(key, here, "the name "+name+" is reserved for Lift itself", "choose another name")
			}
			into.order = append(into.order, name)
			into.services[name] = layer{}
			into.at[name] = r.origin(key)
			r.settings(value, r.single, here, "", into.services[name], nil)
		})
	})
}

// within has what f finds wrong break that service alone.
func (r *reader) within(name string, f func()) {
	r.service = name
	defer func() { r.service = "" }()
	f()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

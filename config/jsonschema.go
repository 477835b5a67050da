package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
)

// SchemaComment is the first line of a lift.yaml whose JSON Schema lies beside it,
// for editors with yaml-language-server.
const SchemaComment = "# yaml-language-server: $schema=lift.schema.json"

// JSONSchema is a JSON Schema (draft-07) of lift.yaml, made from the same table as
// the reader, for editors: they complete keys, explain them, and mark mistakes
// while one writes. It accepts whatever the reader accepts. What a schema cannot
// see - ranges of durations, variables that are not set, files, keys that
// contradict each other - is left to the reader.
func JSONSchema() []byte {
	r := newReader("", "", func(string) (string, bool) { return "", false })
	part := r.top.object("")
	properties := part["properties"].(node)
	properties["defaults"] = node{"$ref": "#/definitions/defaults"}
	properties["services"] = node{
		"description": "the services that can be called, each by its name", "type": "object",
		"propertyNames":        node{"pattern": "^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", "maxLength": 253, "not": node{"enum": []string{"lift", "localhost"}}},
		"additionalProperties": node{"$ref": "#/definitions/service"},
	}
	environment := node{"type": "object", "additionalProperties": false, "properties": maps.Clone(properties)}
	properties["environments"] = node{
		"description": "overlays of the file, each by its name; $LIFT_ENV chooses one", "type": "object",
		"additionalProperties": node{"$ref": "#/definitions/environment"},
	}
	service, defaults := r.single.object(""), r.shared.object("")
	defaults["description"] = "what holds for every service that does not say otherwise"
	part["$schema"] = "http://json-schema.org/draft-07/schema#"
	part["$comment"] = "To use it, write this as the first line of lift.yaml: " + SchemaComment
	part["title"] = "lift.yaml"
	// An overlay may complete a service; without one each is complete.
	part["if"] = node{"not": node{"required": []string{"environments"}}}
	part["then"] = node{"properties": node{"services": node{"additionalProperties": node{"$ref": "#/definitions/complete"}}}}
	part["definitions"] = node{
		"variable": node{"type": "string", "pattern": `\$\{[A-Za-z_]`},
		"service":  service, "defaults": defaults, "environment": environment, "complete": r.complete(),
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(part); err != nil {
		panic("config: " + err.Error()) // of the table's own text; a test makes all of it
	}
	return b.Bytes()
}

// node is a part of a JSON Schema.
type node = map[string]any

// object is the schema of the mapping at path.
func (s *schema) object(path string) node {
	properties := node{}
	for _, name := range s.children[path] {
		at := join(path, name)
		r, below := s.rules[at], s.children[at] != nil
		switch {
		case r == nil && below:
			properties[name] = s.object(at)
		case r != nil && below: // a toggle, which a mapping of its keys says too
			n := r.described(node{})
			n["anyOf"] = []any{node{"type": "boolean"}, node{"$ref": "#/definitions/variable"}, s.object(at)}
			properties[name] = n
		case r != nil:
			properties[name] = r.schema()
		}
	}
	return node{"type": "object", "additionalProperties": false, "properties": properties}
}

// complete is what a service has to have beside valid keys, by its from.
func (r *reader) complete() node {
	var cases []any
	for _, from := range r.single.rules["from"].choices {
		required, properties := []string{}, node{}
		for _, path := range sortedKeys(r.single.rules) {
			rule := r.single.rules[path]
			first, name, below := strings.Cut(path, ".")
			switch {
			case rule.with != "" && rule.with != from:
				properties[first] = false
			case rule.with == "" || rule.preset != "" || rule.derived != "":
			case below:
				required = append(required, first)
				properties[first] = node{"required": []string{name}}
			default:
				required = append(required, first)
			}
		}
		cases = append(cases, node{
			"if":   node{"required": []string{"from"}, "properties": node{"from": node{"const": from}}},
			"then": node{"required": required, "properties": properties},
		})
	}
	return node{"required": []string{"from"}, "allOf": cases}
}

const (
	oneDuration = `([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)`
	orVariable  = `|\$\{[A-Za-z_]`
	// bareVariable finds $NAME, which is refused, unless it may be $LATEST.
	bareVariable = `(^|[^$])\$([A-KM-Za-z_]|L([^A]|$))`
)

// schema is the schema of a rule's value. A variable may stand in each.
func (r *rule) schema() node {
	orVar := func(also ...any) node {
		return r.described(node{"anyOf": append(also, node{"$ref": "#/definitions/variable"})})
	}
	switch r.kind {
	case duration:
		return r.described(node{"type": "string", "pattern": "^(" + oneDuration + ")+$" + orVariable})
	case span:
		return r.described(node{"type": "string", "pattern": `^\s*(` + oneDuration + `)+\s*\.\.\s*(` + oneDuration + `)+\s*$` + orVariable})
	case size:
		return r.described(node{"type": "string", "pattern": `^\s*(0|[1-9][0-9]*)\s*(B|KiB|MiB|GiB)$` + orVariable})
	case whole:
		return orVar(node{"type": "integer", "minimum": json.Number(r.low), "maximum": json.Number(r.high)})
	case number:
		return orVar(node{"type": "number", "minimum": json.Number(r.low), "maximum": json.Number(r.high)})
	case mode: // without quotes it is a number, and which one depends on the version of YAML
		return orVar(node{"type": "string", "pattern": "^0?[67][0-7]{2}$"}, node{"type": "integer"})
	case toggle:
		return orVar(node{"type": "boolean"})
	case choice:
		enum := make([]any, 0, len(r.choices))
		for _, c := range r.choices {
			enum = append(enum, c)
			if _, err := strconv.ParseFloat(c, 64); err == nil {
				enum = append(enum, json.Number(c))
			}
		}
		return orVar(node{"enum": enum})
	case list:
		n := r.described(node{"type": "array", "minItems": 1, "items": r.textSchema()})
		if r.names != nil {
			n["uniqueItems"] = true
		}
		return n
	case text:
		return r.described(r.textSchema())
	}
	panic("config: rule " + r.path + " has no kind")
}

func (r *rule) textSchema() node {
	n := node{"type": "string", "minLength": 1, "not": node{"pattern": bareVariable}}
	if r.pattern != "" {
		n["pattern"] = r.pattern + orVariable
	}
	if r.sample != "" {
		n["examples"] = []string{r.sample}
	}
	return n
}

// described adds what a rule says for people.
func (r *rule) described(n node) node {
	says := r.means
	switch {
	case r.kind == toggle && r.preset != "":
		n["default"] = r.preset == "true"
	case (r.kind == whole || r.kind == number) && r.preset != "":
		n["default"] = json.Number(r.preset)
	case r.preset != "":
		n["default"] = r.preset
	case r.derived != "":
		says += ". Default: " + r.derived
	}
	if r.low != "" {
		says += ". From " + r.low + " to " + r.high
	}
	n["description"] = says + ". Why: " + r.why
	return n
}

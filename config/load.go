package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/cloudmap"
	"github.com/liftmesh/lift/transport"
)

// Load reads the configuration at path; lookup reads the environment
// ([os.LookupEnv]), of which $LIFT_ENV chooses the overlay. Precedence, the
// weakest first: defaults, the file's own part, the overlay, variables.
//
// The Config is never nil, whatever the problems; see [Config].
func Load(path string, lookup Lookup) (*Config, Problems) {
	text, err := readFile(path)
	if err != nil {
		return broken(path, nil, lookup, Problem{What: err.Error(), Remedy: "want a readable YAML file of at most 1 MiB"})
	}
	c, problems := Parse(path, text, lookup)
	c.Sum = sumOf(text)
	return c, problems
}

func readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // to open a pipe would wait for its writer
		return nil, errors.New("cannot be read: it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, cannotRead(err)
	}
	return text, nil
}

// cannotRead leaves out the path, which the problem says already.
func cannotRead(err error) error {
	if inner, ok := errors.AsType[*os.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// Missing is [Load] where [Find] has found nothing and says so with err.
func Missing(err error, lookup Lookup) (*Config, Problems) {
	return broken("lift.yaml", nil, lookup, Problem{What: err.Error(), Remedy: "put one there, or name it in $LIFT_CONFIG"})
}

// broken is the configuration of a file of which nothing can be read: the
// defaults, laid under the variables, so that callers find somebody who tells
// them.
func broken(file string, text []byte, lookup Lookup, p Problem) (*Config, Problems) {
	p.File = file
	r := newReader(file, lookup)
	r.text = text
	r.problems = append(r.problems, p)
	return r.build(newPart(), newPart())
}

// Parse is [Load] for a text that was read already; name stands for the file in
// messages.
func Parse(name string, text []byte, lookup Lookup) (*Config, Problems) {
	if len(text) > MaxFile {
		return broken(name, nil, lookup, Problem{Line: 1, Column: 1, What: "the file is over 1 MiB", Remedy: "want a smaller one"})
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	root, bad := parseYAML(text)
	if bad != nil {
		return broken(name, text, lookup, *bad)
	}
	r := newReader(name, lookup)
	r.text = text
	return r.build(r.document(root))
}

func newReader(file string, lookup Lookup) *reader {
	global, services := globalSettings(), serviceSettings()
	r := &reader{
		globalTable:  global,
		serviceTable: services,
		presets:      presets(global, presets(services, layer{})),

		walker:  walker{file: file, lookup: lookup},
		top:     schemaOf(global, nil),
		globals: schemaOf(global, nil),
		shared:  schemaOf(services, func(r *rule) bool { return !r.own }),
		single:  schemaOf(services, nil),
	}
	r.globals.children[""] = append(r.globals.children[""], "defaults", "services")
	r.top.children[""] = append(r.top.children[""], "defaults", "services", "environments")
	r.chosen, _ = lookup("LIFT_ENV")
	return r
}

// build lays the layers over each other and fills the structs.
func (r *reader) build(own, overlay *part) (*Config, Problems) {
	c := &Config{File: r.file, Environment: r.chosen, globals: layer{}, process: newProcess(r.lookup, lift.Now, slog.New(slog.DiscardHandler))}
	for i := range r.globalTable {
		s := &r.globalTable[i]
		if d, ok := r.effective(&s.rule, r.variable(&s.rule), sound(overlay.global), sound(own.global)); ok {
			c.globals[s.path] = d
			if s.put != nil {
				s.put(c, d)
			}
		}
	}
	c.services = r.services(own, overlay)
	c.Register = r.registration(c.globals)
	if usesConsul(c) {
		c.viaConsul = r.consul(c.globals)
	}
	r.doors(c)
	r.problems.finish(r.file, r.text)
	r.warnings.finish(r.file, r.text)
	c.Warnings = r.warnings

	breaking := r.problems.byService(r.chosen)
	c.Broken = breaking[""].brief()
	for _, s := range c.services {
		s.broken = slices.Concat(breaking[s.name], breaking["from: "+s.values["from"].text]).brief()
	}
	c.fill(r.serviceTable)
	return c, r.problems
}

// variable is the layer of a key's own variable: empty, or the key with the
// variable's value.
func (r *reader) variable(rule *rule) layer {
	if rule.variable == "" {
		return nil
	}
	value, _ := r.lookup(rule.variable)
	if value == "" {
		return nil
	}
	d, bad := rule.read(value, strconv.Quote(value))
	if bad != nil {
		r.problems = append(r.problems, Problem{File: "$" + rule.variable, Path: rule.path, What: bad.what, Remedy: bad.remedy})
		return nil
	}
	d.origin = origin{variable: rule.variable}
	return layer{rule.path: d}
}

// effective is a key's value in the first layer that has it, else its default.
// ok is false if there is none.
func (r *reader) effective(rule *rule, layers ...layer) (d datum, ok bool) {
	for _, l := range layers {
		if d, ok := l[rule.path]; ok {
			return d, !d.bad
		}
	}
	d, ok = r.presets[rule.path]
	return d, ok
}

// presets adds the defaults of a table to a layer.
func presets[T any](settings []setting[T], into layer) layer {
	for i := range settings {
		rule := &settings[i].rule
		if rule.preset == "" {
			continue
		}
		d, bad := rule.read(rule.preset, rule.preset)
		if bad != nil {
			panic("config: the default of " + rule.path + " " + bad.what) // the table's; a test reads all of it
		}
		into[rule.path] = d
	}
	return into
}

// sound is l without what was told of as a problem: a sidecar whose socket_mode
// is wrong still listens, to say so.
func sound(l layer) layer {
	out := make(layer, len(l))
	for path, d := range l {
		if !d.bad {
			out[path] = d
		}
	}
	return out
}

// service is one service, effectively.
type service struct {
	name   string
	values layer
	tls    *transport.TLS
	broken error
	api    target // of AWS, with from: lambda
	// cloudmap is all but what the process gives, with from: cloudmap.
	cloudmap *cloudmap.Config
}

// config fills the struct. The whole's Broken, if not nil, is what breaks everything.
func (s *service) config(table []setting[mesh.ServiceConfig], whole *Config) mesh.ServiceConfig {
	c := mesh.ServiceConfig{Name: s.name, From: s.values["from"].text, Broken: s.broken, Registry: s.registry(whole)}
	c.Transport.TLS = s.tls
	c.Marks = s.marks(table, whole.globals)
	if whole.Broken != nil {
		c.Broken = whole.Broken
	}
	for i := range table {
		set := &table[i]
		if d, ok := s.values[set.path]; ok && set.put != nil {
			set.put(&c, d)
		}
	}
	if s.broken == nil {
		s.sign(&c, whole.process)
		if s.values["from"].text == "lambda" {
			s.invoke(&c, whole.process)
		}
	}
	return c
}

package config

import (
	"bytes"
	"log/slog"
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
	return LoadEnvironment(path, "", lookup)
}

// LoadEnvironment is [Load] with the overlay that the caller chooses in place of
// $LIFT_ENV; "" leaves the choice to $LIFT_ENV.
func LoadEnvironment(path, environment string, lookup Lookup) (*Config, Problems) {
	r := newReader(path, environment, lookup)
	text, err := readFile(path)
	if err != nil {
		return r.broken(unreadable(path, err))
	}
	c, problems := r.parse(text)
	c.Sum = sumOf(text)
	return c, problems
}

// Missing is [Load] where [Find] has found nothing and says so with err.
func Missing(err error, lookup Lookup) (*Config, Problems) {
	return newReader("lift.yaml", "", lookup).broken(Problem{What: err.Error(), Remedy: "create one there, or name it in $LIFT_CONFIG"})
}

// Parse is [Load] for a text that was read already; name stands for the file in
// messages.
func Parse(name string, text []byte, lookup Lookup) (*Config, Problems) {
	return newReader(name, "", lookup).parse(text)
}

// broken is the configuration of a file of which nothing can be read: the
// defaults, laid under the variables, so that callers find a sidecar that tells
// them.
func (r *reader) broken(p Problem) (*Config, Problems) {
	p.File = r.file
	r.problems = append(r.problems, p)
	return r.build(newPart(), newPart())
}

func (r *reader) parse(text []byte) (*Config, Problems) {
	if len(text) > MaxFile {
		return r.broken(Problem{Line: 1, Column: 1, What: "the file is over 1 MiB", Remedy: "make it smaller"})
	}
	r.text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	root, bad := parseYAML(r.text)
	if bad != nil {
		return r.broken(*bad)
	}
	return r.build(r.document(root))
}

func newReader(file, environment string, lookup Lookup) *reader {
	global, services := globalSettings(), serviceSettings()
	r := &reader{
		globalTable:  global,
		serviceTable: services,
		presets:      presets(global, presets(services, layer{})),

		walker:  walker{file: file, lookup: lookup},
		top:     schemaOf("at the top of the file", global, nil),
		globals: schemaOf("at the top of the file", global, nil),
		shared:  schemaOf("under defaults or services.NAME", services, func(r *rule) bool { return !r.own }),
		single:  schemaOf("under services.NAME", services, nil),
	}
	r.schemas = []*schema{r.top, r.shared, r.single}
	r.globals.children[""] = append(r.globals.children[""], "defaults", "services")
	r.top.children[""] = append(r.top.children[""], "defaults", "services", "environments")
	if r.chosen = environment; environment == "" {
		r.chosen, _ = lookup("LIFT_ENV")
		r.byVariable = true
	}
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
	r.idleSidecar(c)
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

// idleSidecar warns of a sidecar that has nothing to do. It may be meant, where
// services are added later.
func (r *reader) idleSidecar(c *Config) {
	_, announces := c.globals["register.service"]
	if len(r.problems) > 0 || len(c.services) > 0 || announces {
		return
	}
	remedy := "add one, such as " + firstService
	if len(r.elsewhere) > 0 {
		remedy = "choose an environment that has some: " + alternatives(r.elsewhere)
	}
	r.warn(origin{}, "services", "there are no services, so every call fails with unknown_service", remedy)
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

// sound is l without the values that were reported as problems, so that a sidecar
// whose socket_mode is wrong still listens and can say so.
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

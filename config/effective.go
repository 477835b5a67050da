package config

import (
	"fmt"
	"slices"
)

// services lays each service over the defaults, and then checks what needs the
// result: keys that are missing, keys that contradict each other.
func (r *reader) services(own, overlay *part) []*service {
	common := r.merge(func(rule *rule) bool { return !rule.own }, overlay.defaults, own.defaults)
	r.contradictions(common, "defaults", false)

	faulted := r.problems.byService(r.chosen)
	names := slices.Clone(own.order)
	for _, name := range overlay.order {
		if _, known := own.services[name]; !known {
			names = append(names, name)
		}
	}
	services := make([]*service, 0, len(names))
	for _, name := range names {
		s := &service{name: name}
		s.values = r.merge(nil, overlay.services[name], own.services[name], overlay.defaults, own.defaults)
		r.within(name, func() {
			at, ok := own.at[name]
			if !ok {
				at = overlay.at[name]
			}
			r.source(s, at, faulted[name] == nil)
			s.tls = r.tls(s)
			r.protocol(s)
			r.auth(s, faulted[name] == nil)
			r.contradictions(s.values, "services."+name, true)
		})
		services = append(services, s)
	}
	return services
}

// merge is the effective value of every key, the strongest layer first.
func (r *reader) merge(keep func(*rule) bool, layers ...layer) layer {
	out := make(layer, len(r.serviceTable))
	for i := range r.serviceTable {
		s := &r.serviceTable[i]
		if keep != nil && !keep(&s.rule) {
			continue
		}
		if d, ok := r.effective(&s.rule, layers...); ok {
			out[s.path] = d
		}
	}
	for _, pair := range orderedKeys() {
		less, more := out[pair[0]], out[pair[1]]
		if less.origin.isDefault() && more.ns > 0 && less.ns > more.ns { // a default gives way
			out[pair[0]] = datum{text: more.text, ns: more.ns, origin: origin{derived: "not above " + pair[1]}}
		}
	}
	return out
}

// orderedKeys are pairs of which the first must not be above the second.
func orderedKeys() [][2]string {
	return [][2]string{
		{"attempt_timeout", "timeout"},
		{"retry.backoff", "retry.backoff_max"},
		{"connections.safe_idle", "connections.max_idle"},
		{"connections.max_idle_count", "connections.max"},
	}
}

// contradictions reports pairs of keys of which the first is above the second and
// must not be. inService: it reports a pair only if the service itself sets one of
// the two, because the others are reported for defaults.
func (r *reader) contradictions(values layer, path string, inService bool) {
	for _, pair := range orderedKeys() {
		less, known := values[pair[0]]
		more, both := values[pair[1]]
		if !known || !both || less.ns <= more.ns {
			continue
		}
		at, said := less.origin, pair[0]
		if at.line == 0 || inService && !at.service {
			at, said = more.origin, pair[1]
		}
		if inService && !less.origin.service && !more.origin.service {
			continue
		}
		r.tell(at, path+"."+said, fmt.Sprintf("%s (%s) is above %s (%s)", pair[0], shown(less), pair[1], shown(more)),
			"lower the first or raise the second")
	}
}

func shown(d datum) string {
	if d.secret {
		return masked
	}
	return d.text
}

// tell adds a problem where a value came from.
func (r *reader) tell(at origin, path, what, remedy string) {
	r.problems = append(r.problems, r.problem(at, path, what, remedy))
}

// warn adds a warning where a value came from; the zero origin is the whole file.
func (r *reader) warn(at origin, path, what, remedy string) {
	p := r.problem(at, path, what, remedy)
	p.Warning = true
	if at.line == 0 {
		p.Line, p.Column = 0, 0
	}
	r.warnings = append(r.warnings, p)
}

func (r *reader) problem(at origin, path, what, remedy string) Problem {
	if at.environment != "" {
		path = "environments." + at.environment + "." + path
	}
	return Problem{
		File: r.file, Line: max(at.line, 1), Column: max(at.column, 1), Path: path, What: what, Remedy: remedy,
		Service: r.service, Source: r.from, Environment: at.environment,
	}
}

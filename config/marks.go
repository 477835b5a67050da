package config

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/liftmesh/lift/mesh"
)

// marks stand for the service's values, as hashes, so that a reload can tell what
// has changed although registries and signers are made anew with each reading.
func (s *service) marks(table []setting[mesh.ServiceConfig], globals layer) mesh.Marks {
	var all, source, way mark
	for i := range table {
		rule := &table[i].rule
		d, ok := s.values[rule.path]
		if !ok {
			continue
		}
		if rule.path != "listen" { // the door's, which has a look of its own
			all.note(rule.path, d)
		}
		if rule.finds() {
			source.note(rule.path, d)
		}
		if rule.leads() {
			way.note(rule.path, d)
		}
	}
	for _, path := range sortedKeys(globals) {
		if strings.HasPrefix(path, "registry."+s.values["from"].text+".") {
			all.note(path, globals[path])
			source.note(path, globals[path])
		}
	}
	return mesh.Marks{All: all.String(), Source: source.String(), Transport: way.String()}
}

// finds reports whether a key says who serves.
func (r *rule) finds() bool { return r.path == "from" || r.with != "" }

// leads reports whether a key says how an endpoint is reached: all that neither
// finds endpoints nor steers calls. What is not sure counts, for connections that
// are made anew do no harm, and old ones under new settings would.
func (r *rule) leads() bool {
	if slices.Contains([]string{"static", "dns", "consul", "cloudmap"}, r.with) {
		return false
	}
	top, _, _ := strings.Cut(r.path, ".")
	return !slices.Contains([]string{"from", "listen", "timeout", "attempt_timeout", "retry", "breaker", "balancer", "warm", "idempotent"}, top)
}

// mark gathers values, so that no two sets of them are written alike. Secrets may
// be among them: what leaves is a hash.
type mark []byte

func (m *mark) note(path string, d datum) {
	*m = append(append(*m, path...), '=')
	*m = strconv.AppendQuote(*m, d.text)
	for _, item := range d.items {
		*m = strconv.AppendQuote(*m, item)
	}
	*m = append(*m, '\n')
}

// String implements [fmt.Stringer].
func (m *mark) String() string {
	h := sha256.Sum256(*m)
	return hex.EncodeToString(h[:12])
}

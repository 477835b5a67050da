package mesh

import (
	"cmp"
	"slices"

	"github.com/liftmesh/lift/transport"
)

// Certificate is one file of certificates, and the services that use it.
type Certificate struct {
	transport.Certificate
	Services []string // sorted
}

// Certificates returns the files of certificates that services use, sorted by expiry,
// the earliest first.
func (m *Mesh) Certificates() []Certificate {
	type key struct {
		file string
		ca   bool
	}
	t := m.table.Load()
	found := map[key]*Certificate{}
	for _, name := range t.names {
		secure := t.services[name].config().Transport.TLS
		if secure == nil {
			continue
		}
		for _, c := range secure.Certificates() {
			k := key{c.File, c.CA}
			if found[k] == nil {
				found[k] = &Certificate{Certificate: c}
			}
			found[k].Services = append(found[k].Services, name)
		}
	}
	all := make([]Certificate, 0, len(found))
	for _, c := range found {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Certificate) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.File, b.File))
	})
	return all
}

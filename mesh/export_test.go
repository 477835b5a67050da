package mesh

import "github.com/liftmesh/lift"

// Pick returns a service's step that picks an endpoint, without the steps above it.
func (m *Mesh) Pick(name string) lift.Caller { return m.Service(name).pick() }

package lift

import "slices"

// Endpoint is one instance of a service, as a registry describes it. It is a value:
// registries return fresh slices, and nothing changes an endpoint in place.
type Endpoint struct {
	// ID is the registry's id of the instance, or "" where it has none.
	ID string
	// Addr is host:port.
	Addr string
	// Zone is the availability zone id (use1-az1), or "" if unknown.
	Zone string
	// Weight is the endpoint's share relative to others. 0 means 1.
	Weight int
	// Tags are labels by which a subset can be chosen.
	Tags []string
}

// Key returns the key that identifies the endpoint: the registry's id, or the address
// if there is none. An endpoint that keeps its key keeps its connections and its
// verdict.
func (e Endpoint) Key() string {
	if e.ID != "" {
		return e.ID
	}
	return e.Addr
}

// Equal reports whether all fields of e and o are equal.
func (e Endpoint) Equal(o Endpoint) bool {
	return e.ID == o.ID && e.Addr == o.Addr && e.Zone == o.Zone && e.Weight == o.Weight && slices.Equal(e.Tags, o.Tags)
}

package config

import "fmt"

// doors adds the services' own addresses to the plain door's, and reports an address
// that is used twice, because it can be opened only once.
func (r *reader) doors(c *Config) {
	taken := map[string]string{"unix:" + c.Socket: "socket"}
	take := func(address, path string, at origin) bool {
		if first, twice := taken[address]; twice {
			r.tell(at, path, fmt.Sprintf("the address %s is used by %s already", address, first), "give each its own address")
			return false
		}
		taken[address] = path
		return true
	}
	for _, a := range c.API {
		take(a.String(), "api", c.globals["api"].origin)
	}
	plain := c.Plain
	c.Plain = nil
	for _, a := range plain {
		if take(a.String(), "plain", c.globals["plain"].origin) {
			c.Plain = append(c.Plain, a)
		}
	}
	for _, s := range c.services {
		d, ok := s.values["listen"]
		if !ok {
			continue
		}
		for _, a := range plainAddresses([]string{d.text}, s.name) {
			r.within(s.name, func() {
				if take(a.String(), "services."+s.name+".listen", d.origin) {
					c.Plain = append(c.Plain, a)
				}
			})
		}
	}
}

package config

import (
	"log/slog"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4"
	"github.com/liftmesh/lift/mesh"
)

// process holds what all services share of the process that they run in.
type process struct {
	lookup      Lookup
	now         func() lift.Instant
	log         *slog.Logger
	credentials *sigv4.Source // AWS's: all services are called in the name of one role
}

func newProcess(lookup Lookup, now func() lift.Instant, log *slog.Logger) *process {
	return &process{lookup, now, log, sigv4.NewSource(sigv4.SourceOptions{Lookup: lookup, Now: now, Log: log})}
}

// Attach sets the clock that the services' registries and signers read, and the log
// for what no caller sees. Defaults: [lift.Now], and no log. It makes Services anew,
// so call it before you use them.
func (c *Config) Attach(now func() lift.Instant, log *slog.Logger) {
	c.process = newProcess(c.process.lookup, now, log)
	c.fill(serviceSettings())
}

// fill makes the services' structs from what was read.
func (c *Config) fill(table []setting[mesh.ServiceConfig]) {
	c.Services, c.consul = nil, c.consulClient()
	for _, s := range c.services {
		c.Services = append(c.Services, s.config(table, c))
	}
}

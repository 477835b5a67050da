package main

import (
	"context"
	"time"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
)

// doors are all ways in.
type doors []*door

// doors returns those that are configured, closed. Each address is a door of its
// own, so that a reload can open and close it by itself. every is how often they
// look after their sockets, 0 where that is done from outside.
func (p *program) doors(every time.Duration) doors {
	all := doors{p.api(every)}
	for _, a := range p.cfg.Plain {
		all = append(all, p.plain(a, every))
	}
	return all
}

// api is the door of the Lift API.
func (p *program) api(every time.Duration) *door {
	cfg := p.sidecar
	cfg.RecheckEvery = every
	return &door{
		name: "the Lift API", address: cfg.Socket, at: cfg.Socket, log: p.log, failed: make(chan error, 1),
		listen: func() (server, error) {
			s, err := sidecar.Listen(cfg)
			return apiServer{s}, err
		},
	}
}

type apiServer struct{ *sidecar.Server }

// Recheck drops the error: it has been logged.
func (s apiServer) Recheck() { _ = s.Server.Recheck() }

// plain is the door for any HTTP client at one address.
func (p *program) plain(a plain.Address, every time.Duration) *door {
	cfg := p.cfg
	return &door{
		name: "the plain door", address: a.String(), at: plainDoor(a), plain: true, log: p.log, failed: make(chan error, 1),
		listen: func() (server, error) {
			return plain.Listen(plain.Config{
				Addresses:    []plain.Address{a},
				Mode:         cfg.SocketMode,
				Group:        cfg.SocketGroup,
				Bounds:       p.bounds,
				Limits:       plainLimits(cfg),
				Caller:       p.mesh,
				Services:     p.mesh.Names(),
				Log:          p.log,
				Now:          p.now,
				RecheckEvery: every,
				Version:      version(),
			})
		},
	}
}

func plainLimits(cfg *config.Config) plain.Limits {
	return plain.Limits{MaxPeers: cfg.Limits.MaxPeers, MaxCalls: cfg.Limits.MaxCalls, MaxHeader: cfg.Limits.MaxHeader}
}

// plainDoor is an address with the service that it is for.
func plainDoor(a plain.Address) string {
	if a.Service == "" {
		return a.String()
	}
	return a.String() + " for " + a.Service
}

// where lists the addresses of all, as configured.
func (all doors) where() (at []string) {
	for _, d := range all {
		at = append(at, d.at)
	}
	return at
}

func (all doors) recheck(ctx context.Context) {
	for _, d := range all {
		d.recheck(ctx)
	}
}

// close closes all, whatever still runs.
func (all doors) close() {
	for _, d := range all {
		if s := d.now(); s != nil {
			s.Close()
		}
	}
}

package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
)

// doors are all addresses at which calls come in.
type doors []*door

// doors returns the configured doors, all closed. Each address is a door of its own,
// so that a reload can open and close it by itself. every is how often they check
// their sockets; 0 if the caller does that.
func (p *program) doors(every time.Duration) doors {
	return append(doors{p.api(every)}, p.movable(p.cfg, every)...)
}

// movable returns the doors of cfg that a reload can open and close.
func (p *program) movable(cfg *config.Config, every time.Duration) (all doors) {
	for _, a := range cfg.API {
		all = append(all, p.apiAt(a))
	}
	for _, a := range cfg.Plain {
		all = append(all, p.plain(a, every))
	}
	return all
}

// api returns the door of the Lift API at its socket.
func (p *program) api(every time.Duration) *door {
	cfg := p.sidecar
	cfg.RecheckEvery = every
	return &door{
		name: "the Lift API", kind: "api", address: cfg.Socket, at: cfg.Socket, log: p.log, failed: make(chan error, 1),
		listen: func() (server, error) {
			s, err := sidecar.Listen(cfg)
			return apiServer{s}, err
		},
	}
}

type apiServer struct{ *sidecar.Server }

// Recheck drops the error, which has been logged.
func (s apiServer) Recheck() { _ = s.Server.Recheck() }

// apiAt returns the door of the Lift API at a loopback address.
func (p *program) apiAt(a plain.Address) *door {
	cfg := p.sidecar
	cfg.Socket = a.Addr // for log lines
	return &door{
		name: "the Lift API", kind: "api", address: a.String(), at: a.String(), log: p.log, failed: make(chan error, 1), movable: true,
		listen: func() (server, error) {
			var lc net.ListenConfig
			l, err := lc.Listen(context.Background(), "tcp", a.Addr)
			if err != nil {
				return nil, fmt.Errorf("the Lift API cannot listen on %s: %w; choose another port, or stop the program that has it", a.Addr, err)
			}
			s, err := sidecar.On(l, cfg)
			if err != nil {
				_ = l.Close()
			}
			return apiServer{s}, err
		},
	}
}

// plain returns the door for any HTTP client at one address.
func (p *program) plain(a plain.Address, every time.Duration) *door {
	cfg := p.cfg
	return &door{
		name: "the plain door", kind: "plain", address: a.String(), service: a.Service, at: plainDoor(a), movable: true, log: p.log, failed: make(chan error, 1),
		listen: func() (server, error) {
			return plain.Listen(plain.Config{
				Addresses:    []plain.Address{a},
				Mode:         cfg.SocketMode,
				Group:        cfg.SocketGroup,
				Bounds:       p.bounds,
				Limits:       plainLimits(cfg),
				Caller:       p.mesh,
				Services:     p.mesh.Names(),
				Proxy:        cfg.Proxy,
				Log:          p.log,
				Now:          p.now,
				RecheckEvery: every,
				Version:      version(),
				Warning:      p.state.warning,
			})
		},
	}
}

func plainLimits(cfg *config.Config) plain.Limits {
	return plain.Limits{MaxPeers: cfg.Limits.MaxPeers, MaxCalls: cfg.Limits.MaxCalls, MaxHeader: cfg.Limits.MaxHeader}
}

// plainDoor returns the address, and the service if it is for one.
func plainDoor(a plain.Address) string {
	if a.Service == "" {
		return a.String()
	}
	return a.String() + " for " + a.Service
}

// where lists the addresses, as configured.
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

// close closes all doors, and cuts the calls that run.
func (all doors) close() {
	for _, d := range all {
		if s := d.now(); s != nil {
			s.Close()
		}
	}
}

package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/internal/wire"
	"github.com/liftmesh/lift/mesh"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/transport"
)

// state is what the RPC Status reports of the process. Safe for concurrent use.
type state struct {
	mu       sync.Mutex
	started  time.Time
	lambda   bool
	draining bool
	doors    doors
	holds    *config.Config // in force now
	since    time.Time      // when holds was read
	last     *liftv1.Reload // nil: there was none
	applied  int32
	refused  int32
}

func (s *state) set(change func(s *state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// warning returns what a health check adds for a sidecar that serves, "" for nothing.
func (s *state) warning() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.GetRefused() == "" {
		return ""
	}
	return "the last reload of lift.yaml was refused; lift status tells why"
}

// status answers the RPC Status.
func (p *program) status() *liftv1.StatusResponse {
	s := &p.state
	s.mu.Lock()
	out := &liftv1.StatusResponse{
		Version: version(), Pid: int64(os.Getpid()), AtUnixNanos: wire.Nanos(p.now().Wall), StartedUnixNanos: wire.Nanos(s.started),
		Lambda: s.lambda, Draining: s.draining,
		ConfigFile: wire.Text(s.holds.File), Environment: wire.Text(s.holds.Environment), ConfigUnixNanos: wire.Nanos(s.since),
		LastReload: s.last, ReloadsApplied: s.applied, ReloadsRefused: s.refused,
	}
	if path, err := filepath.Abs(s.holds.File); err == nil && s.holds.File != "" {
		out.ConfigFile = wire.Text(path)
	}
	if s.holds.Broken != nil {
		out.Broken = bounded(s.holds.Broken)
	}
	all, holds := slices.Clone(s.doors), s.holds
	s.mu.Unlock()
	for _, d := range all {
		d.tell(out)
	}
	p.tellSources(out)
	p.tellCertificates(out, holds)
	return out
}

// tellSources adds where the endpoints of each service come from.
func (p *program) tellSources(out *liftv1.StatusResponse) {
	services, err := p.mesh.Services(context.Background())
	if err != nil {
		return // the whole configuration is broken, as out.Broken says
	}
	for _, w := range wire.Services(services) {
		out.Sources = append(out.Sources, &liftv1.ServiceSource{
			Service: w.GetName(), From: w.GetFrom(), Broken: w.GetBroken(), Error: w.GetError(),
			ToldUnixNanos: w.GetToldUnixNanos(), Endpoints: small(len(w.GetEndpoints())),
		})
	}
}

// tellCertificates adds the files of certificates that services and the way to Consul
// use, the one that expires first comes first.
func (p *program) tellCertificates(out *liftv1.StatusResponse, cfg *config.Config) {
	all := p.mesh.Certificates()
	if client := cfg.Consul(); client != nil {
		files := transport.TLS{Cert: client.TLS.Cert, Key: client.TLS.Key}
		if client.TLS.CA != "" {
			files.CA = []string{client.TLS.CA}
		}
		for _, c := range files.Certificates() { // read now, as for each connection to Consul
			all = append(all, mesh.Certificate{Certificate: c, Services: []string{"registry.consul"}})
		}
	}
	slices.SortStableFunc(all, func(a, b mesh.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	for _, c := range all {
		kind := "client"
		if c.CA {
			kind = "ca"
		}
		out.Certificates = append(out.Certificates, &liftv1.Certificate{
			File: wire.Text(c.File), Kind: kind, Subject: wire.Text(c.Subject), NotAfterUnixNanos: wire.Nanos(c.NotAfter), Services: c.Services,
		})
	}
}

// tell adds the door, and the peers that are connected to it.
func (d *door) tell(out *liftv1.StatusResponse) {
	d.mu.Lock()
	server, w := d.server, &liftv1.Door{Kind: d.kind, Address: wire.Text(d.address), Service: wire.Text(d.service), Error: wire.Text(d.said)}
	d.mu.Unlock()
	if server != nil {
		w.Calls = small(server.Traffic().Running)
	}
	out.Doors = append(out.Doors, w)
	if api, ok := server.(interface{ Peers() []*liftv1.Peer }); ok {
		out.Peers = append(out.Peers, api.Peers()...)
	}
}

// maxProblems limits the text of a configuration's problems in the status, in bytes.
// The log has all of it.
const maxProblems = 16 << 10

func bounded(err error) string {
	text := err.Error()
	if len(text) > maxProblems {
		text = text[:maxProblems] + "\n(cut; the log has all)"
	}
	return wire.Text(text)
}

func small(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // bounded

// begun notes how the process began.
func (p *program) begun(cfg *config.Config, now lift.Instant) {
	p.state.set(func(s *state) { s.started, s.since, s.holds = now.Wall, now.Wall, cfg })
}

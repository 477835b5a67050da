package main

import (
	"fmt"
	"time"

	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// expiresSoon is how long before its expiry a certificate is worth a warning.
const expiresSoon = 7 * 24 * time.Hour

// processJSON is what `lift status --json` writes. Durations are in seconds, times
// are the sidecar's.
type processJSON struct {
	Version      string            `json:"version"`
	PID          int64             `json:"pid"`
	State        string            `json:"state"` // serving or draining
	Problems     []string          `json:"problems"`
	At           time.Time         `json:"at"`
	Started      time.Time         `json:"started"`
	UptimeS      float64           `json:"uptime_s"`
	Lambda       bool              `json:"lambda"`
	Config       configJSON        `json:"config"`
	LastReload   *reloadJSON       `json:"last_reload,omitempty"`
	Doors        []doorJSON        `json:"doors"`
	Peers        []peerJSON        `json:"peers"`
	Registries   []registryJSON    `json:"registries"`
	Certificates []certificateJSON `json:"certificates"`
}

type configJSON struct {
	File        string    `json:"file,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Since       time.Time `json:"since"`
	Broken      string    `json:"broken,omitempty"`
	Applied     int32     `json:"reloads_applied"`
	Refused     int32     `json:"reloads_refused"`
}

type reloadJSON struct {
	At      time.Time `json:"at"`
	Trigger string    `json:"trigger"`
	Refused string    `json:"refused,omitempty"`
}

type doorJSON struct {
	Kind    string `json:"kind"` // api or plain
	Address string `json:"address"`
	Service string `json:"service,omitempty"`
	Error   string `json:"error,omitempty"`
	Calls   int32  `json:"calls"`
}

type peerJSON struct {
	Software string    `json:"software"`
	PID      int64     `json:"pid,omitempty"`
	Since    time.Time `json:"since"`
	Calls    int32     `json:"calls"`
	Address  string    `json:"address"`
}

type registryJSON struct {
	Service   string     `json:"service"`
	From      string     `json:"from,omitempty"`
	Broken    string     `json:"broken,omitempty"`
	Told      *time.Time `json:"told,omitempty"` // none: no set yet
	AgeS      float64    `json:"age_s,omitempty"`
	Error     string     `json:"error,omitempty"`
	Endpoints int32      `json:"endpoints"`
}

type certificateJSON struct {
	File     string    `json:"file"`
	Kind     string    `json:"kind"` // client or ca
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
	Services []string  `json:"services"`
}

func statusOf(w *liftv1.StatusResponse) *processJSON {
	st := &processJSON{
		Version: w.GetVersion(), PID: w.GetPid(), State: "serving", Lambda: w.GetLambda(),
		At: wire.Time(w.GetAtUnixNanos()), Started: wire.Time(w.GetStartedUnixNanos()),
		Config: configJSON{
			w.GetConfigFile(), w.GetEnvironment(), wire.Time(w.GetConfigUnixNanos()), w.GetBroken(),
			w.GetReloadsApplied(), w.GetReloadsRefused(),
		},
		Problems: []string{}, Doors: []doorJSON{}, Peers: []peerJSON{}, Registries: []registryJSON{}, Certificates: []certificateJSON{},
	}
	st.UptimeS = st.At.Sub(st.Started).Seconds()
	if w.GetDraining() {
		st.State = "draining"
	}
	if r := w.GetLastReload(); r != nil {
		st.LastReload = &reloadJSON{wire.Time(r.GetAtUnixNanos()), r.GetTrigger(), r.GetRefused()}
	}
	for _, d := range w.GetDoors() {
		st.Doors = append(st.Doors, doorJSON{d.GetKind(), d.GetAddress(), d.GetService(), d.GetError(), d.GetCalls()})
	}
	for _, p := range w.GetPeers() {
		st.Peers = append(st.Peers, peerJSON{p.GetSoftware(), p.GetPid(), wire.Time(p.GetSinceUnixNanos()), p.GetCalls(), p.GetAddress()})
	}
	for _, r := range w.GetSources() {
		out := registryJSON{Service: r.GetService(), From: r.GetFrom(), Broken: r.GetBroken(), Error: r.GetError(), Endpoints: r.GetEndpoints()}
		if told := wire.Time(r.GetToldUnixNanos()); !told.IsZero() {
			out.Told, out.AgeS = &told, st.At.Sub(told).Seconds()
		}
		st.Registries = append(st.Registries, out)
	}
	for _, c := range w.GetCertificates() {
		st.Certificates = append(st.Certificates, certificateJSON{c.GetFile(), c.GetKind(), c.GetSubject(), wire.Time(c.GetNotAfterUnixNanos()), c.GetServices()})
	}
	st.judge()
	return st
}

// judge lists what needs attention.
func (st *processJSON) judge() {
	bad := func(format string, args ...any) { st.Problems = append(st.Problems, fmt.Sprintf(format, args...)) }
	if st.State == "draining" {
		bad("the sidecar is shutting down")
	}
	if st.Config.Broken != "" {
		bad("the configuration is broken")
	}
	if r := st.LastReload; r != nil && r.Refused != "" {
		bad("the last reload was refused")
	}
	for _, d := range st.Doors {
		if d.Error != "" {
			bad("%s is not open", d.Address)
		}
	}
	for _, r := range st.Registries {
		switch {
		case r.Broken != "" && st.Config.Broken == "":
			bad("the configuration of %s is broken", r.Service)
		case r.Error != "":
			bad("the registry of %s does not answer", r.Service)
		}
	}
	for _, c := range st.Certificates {
		if text := c.soon(st.At); text != "" {
			bad("%s %s", c.File, text)
		}
	}
}

// soon says that a certificate has expired or will within expiresSoon, "" if not.
func (c *certificateJSON) soon(at time.Time) string {
	switch left := c.NotAfter.Sub(at); {
	case left <= 0:
		return "expired " + age(-left) + " ago"
	case left < expiresSoon:
		return "expires in " + age(left)
	}
	return ""
}

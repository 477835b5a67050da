package main

import (
	"time"

	"github.com/liftmesh/lift"
)

// serviceJSON is a service in the output of `lift services --json`. Durations are in
// milliseconds, times are by the sidecar's clock.
type serviceJSON struct {
	Name      string         `json:"name"`
	From      string         `json:"from,omitempty"`
	Broken    string         `json:"broken,omitempty"`
	At        time.Time      `json:"at"`
	Told      *time.Time     `json:"told,omitempty"` // none: no set yet
	AgeMS     float64        `json:"age_ms,omitempty"`
	Error     string         `json:"error,omitempty"`
	Endpoints []endpointJSON `json:"endpoints"`
}

type endpointJSON struct {
	Address     string     `json:"address"`
	ID          string     `json:"id,omitempty"`
	Zone        string     `json:"zone,omitempty"`
	Weight      int        `json:"weight,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
	State       string     `json:"state"`
	Why         string     `json:"why,omitempty"`
	Until       *time.Time `json:"until,omitempty"`
	InFlight    int        `json:"in_flight"`
	Failures    int        `json:"failures"`
	Attempts    uint64     `json:"attempts"` // that have ended
	Failed      uint64     `json:"failed"`   // of these
	UsualMS     float64    `json:"usual_ms,omitempty"`
	Connections int        `json:"connections"`
	Idle        int        `json:"idle_connections"`
}

func servicesJSON(all []lift.ServiceStatus) []serviceJSON {
	out := make([]serviceJSON, len(all))
	for i, s := range all {
		out[i] = serviceJSON{
			Name: s.Name, From: s.From, Broken: s.Broken, Error: s.Error,
			At: s.At, Told: moment(s.Told), Endpoints: make([]endpointJSON, len(s.Endpoints)),
		}
		if !s.Told.IsZero() {
			out[i].AgeMS = millis(s.At.Sub(s.Told))
		}
		for k, e := range s.Endpoints {
			out[i].Endpoints[k] = endpointJSON{
				Address: e.Addr, ID: e.ID, Zone: e.Zone, Weight: e.Weight, Tags: e.Tags,
				State: e.State, Why: e.Why, Until: moment(e.Until), InFlight: e.InFlight, Failures: e.Failures, Attempts: e.Attempts, Failed: e.Failed,
				UsualMS: millis(e.Usual), Connections: e.Open, Idle: e.Idle,
			}
		}
	}
	return out
}

// moment is nil for no time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

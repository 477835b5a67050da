package emulator

import "time"

// Report describes one member of the environment: the function or an extension.
type Report struct {
	// Name is "function" or the extension's name.
	Name string
	// Internal: an extension inside the function's process. PID is 0.
	Internal bool
	// PID is also the id of the process group. 0 if it was not started.
	PID int
	// Started is just before exec; Registered and FirstNext are when these
	// requests came. Zero if they have not; Registered is zero for the function.
	Started, Registered, FirstNext time.Time
	// Exited is when the process had gone, Exit how ("exit status 0").
	Exited time.Time
	Exit   string
}

// ToRegister is the time from exec to register, 0 if there was none.
func (r Report) ToRegister() time.Duration { return between(r.Started, r.Registered) }

// ToFirstNext is the time from exec to the first request for an event.
func (r Report) ToFirstNext() time.Duration { return between(r.Started, r.FirstNext) }

func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from)
}

// Reports describes the members of the current environment, or of the last one if
// there is none: the function first, then the extensions in the order of their start.
func (e *Emulator) Reports() []Report {
	e.mu.Lock()
	l := e.latest
	e.mu.Unlock()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	reports := []Report{{Name: "function", FirstNext: l.function.firstNext}}
	tell(&reports[0], l.function.proc)
	for _, a := range l.agents {
		r := Report{Name: a.name, Internal: !a.external, Registered: a.registered, FirstNext: a.firstNext}
		tell(&r, a.proc)
		reports = append(reports, r)
	}
	return reports
}

// tell fills in what is known of r's process, if it has one.
func tell(r *Report, p *process) {
	if p == nil {
		return
	}
	r.PID, r.Started = p.pid, p.started
	if !p.alive() {
		r.Exited, r.Exit = p.exited, p.exit
	}
}

// Report describes the member of that name, and says whether there is one.
func (e *Emulator) Report(name string) (Report, bool) {
	for _, r := range e.Reports() {
		if r.Name == name {
			return r, true
		}
	}
	return Report{}, false
}

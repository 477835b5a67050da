package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// columns is the most that a line of `lift services` takes.
const columns = 80

// writeServices writes the services as text, each under a line of its own. rates,
// if not nil, add a column. paint colors a state, or leaves it as it is.
func writeServices(w io.Writer, all []lift.ServiceStatus, rates *rates, paint func(state, text string) string) error {
	var b strings.Builder
	for i := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		writeService(&b, &all[i], rates, paint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeService(b *strings.Builder, s *lift.ServiceStatus, rates *rates, paint func(state, text string) string) {
	b.WriteString(fold(s.Name+": "+summary(s), 2))
	if s.Broken != "" {
		b.WriteString(indented(s.Broken, 2))
		return
	}
	if s.Error != "" {
		b.WriteString(indented("the registry does not answer: "+s.Error, 2))
	}
	if len(s.Endpoints) == 0 {
		return
	}
	const rest = "  %-7s  %9s  %5s  %7s" // behind the address
	head := fmt.Sprintf(rest, "state", "in flight", "conns", "usually")
	if rates != nil {
		head += fmt.Sprintf("  %6s", "per s")
	}
	width := len("endpoint")
	for _, e := range s.Endpoints {
		width = max(width, utf8.RuneCountInString(place(e)))
	}
	width = min(width, columns-2-len(head))
	fmt.Fprintf(b, "  %-*s%s\n", width, "endpoint", head)
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		state := clean(e.Health())
		line := fmt.Sprintf(rest, state, fmt.Sprint(e.InFlight), fmt.Sprint(e.Open), usual(e.Usual))
		if rates != nil {
			line += fmt.Sprintf("  %6s", rates.of(s, e))
		}
		line = strings.Replace(line, state, paint(e.State, state), 1)
		fmt.Fprintf(b, "  %-*s%s\n", width, middle(place(*e), width), line)
		if why := reason(e, s.At); why != "" {
			b.WriteString(indented(why, 4))
		}
	}
}

// summary is a service's own line: its set of endpoints and how old it is.
func summary(s *lift.ServiceStatus) string {
	from := ""
	if s.From != "" {
		from = "from " + s.From + ", "
	}
	switch {
	case s.Broken != "":
		return "its configuration is broken"
	case s.Told.IsZero():
		return from + "the registry has not answered yet"
	case len(s.Endpoints) == 0:
		return fmt.Sprintf("%sno endpoints, told %s ago", from, age(s.At.Sub(s.Told)))
	}
	var t totals
	t.add(s)
	return fmt.Sprintf("%s%s%s, told %s ago", from, count(t.endpoints, "endpoint"), t.unwell(), age(s.At.Sub(s.Told)))
}

// totals count endpoints by their state.
type totals struct{ endpoints, out, probing int }

func (t *totals) add(s *lift.ServiceStatus) {
	for i := range s.Endpoints {
		t.endpoints++
		switch s.Endpoints[i].State {
		case "open":
			t.out++
		case "half_open":
			t.probing++
		}
	}
}

// unwell says how many are not healthy, "" for none.
func (t *totals) unwell() string {
	text := ""
	if t.out > 0 {
		text += fmt.Sprintf(", %d out", t.out)
	}
	if t.probing > 0 {
		text += fmt.Sprintf(", %d probing", t.probing)
	}
	return text
}

// place is where an endpoint is.
func place(e lift.EndpointStatus) string {
	text := e.Addr
	if e.Zone != "" {
		text += " " + e.Zone
	}
	if e.Weight > 1 {
		text += fmt.Sprintf(" x%d", e.Weight)
	}
	return clean(text)
}

// reason says why an endpoint is not healthy, and until when; or that it has begun
// to fail.
func reason(e *lift.EndpointStatus, at time.Time) string {
	var parts []string
	if e.Why != "" {
		parts = append(parts, e.Why)
	}
	switch {
	case e.State == "open" && e.Until.After(at):
		parts = append(parts, "probe in "+age(e.Until.Sub(at)))
	case e.State == "open":
		parts = append(parts, "probe due")
	case e.State == "closed" && e.Failures > 0:
		parts = append(parts, count(e.Failures, "failure")+" in a row")
	}
	return strings.Join(parts, "; ")
}

// age is a duration as people say it.
func age(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return max(d, 0).Round(100 * time.Millisecond).String()
	case d < 2*time.Minute:
		return d.Round(time.Second).String()
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}

func usual(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return age(d)
	}
}

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// columns is how wide a line of `lift services` gets at most.
const columns = 80

// writeServices writes the services as text, each under a line of its own. paint
// colors a state, or leaves it as it is.
func writeServices(w io.Writer, all []lift.ServiceStatus, paint func(state, text string) string) error {
	var b strings.Builder
	for i := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		writeService(&b, &all[i], paint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeService(b *strings.Builder, s *lift.ServiceStatus, paint func(state, text string) string) {
	b.WriteString(fold(s.Name+": "+summary(s), 2))
	if s.Broken != "" {
		b.WriteString(indented(s.Broken, 2))
		return
	}
	if s.Error != "" {
		b.WriteString(indented("its registry cannot be asked now: "+s.Error, 2))
	}
	if len(s.Endpoints) == 0 {
		return
	}
	const rest = "  %-9s  %9s  %5s  %7s" // behind the address
	width := len("endpoint")
	for _, e := range s.Endpoints {
		width = max(width, utf8.RuneCountInString(place(e)))
	}
	width = min(width, columns-2-len(fmt.Sprintf(rest, "", "", "", "")))
	fmt.Fprintf(b, "  %-*s"+rest+"\n", width, "endpoint", "state", "in flight", "conns", "usually")
	for _, e := range s.Endpoints {
		line := fmt.Sprintf(rest, e.State, fmt.Sprint(e.InFlight), fmt.Sprint(e.Open), usual(e.Usual))
		line = strings.Replace(line, e.State, paint(e.State, e.State), 1)
		fmt.Fprintf(b, "  %-*s%s\n", width, middle(place(e), width), line)
		if why := reason(e, s.At); why != "" {
			b.WriteString(indented(why, 4))
		}
	}
}

// summary is a service's own line: what its set is and how old.
func summary(s *lift.ServiceStatus) string {
	from := ""
	if s.From != "" {
		from = "from " + s.From + ", "
	}
	switch {
	case s.Broken != "":
		return "broken"
	case s.Told.IsZero():
		return from + "nobody has told yet who serves it"
	case len(s.Endpoints) == 0:
		return fmt.Sprintf("%snobody serves it, told %s ago", from, age(s.At.Sub(s.Told)))
	}
	out := 0
	for _, e := range s.Endpoints {
		if e.State != "closed" {
			out++
		}
	}
	text := from + count(len(s.Endpoints), "endpoint")
	if out > 0 {
		text += fmt.Sprintf(", %d out", out)
	}
	return text + ", told " + age(s.At.Sub(s.Told)) + " ago"
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

// reason says why an endpoint is not closed, and until when; or that it has
// begun to fail.
func reason(e lift.EndpointStatus, at time.Time) string {
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

// middle shortens text to width by leaving out its middle: the ends of addresses
// differ.
func middle(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	head := (width - 2) / 2
	return string(runes[:head]) + ".." + string(runes[len(runes)-(width-2-head):])
}

// indented folds text into lines, all of them behind by spaces.
func indented(text string, by int) string {
	return strings.Repeat(" ", by) + strings.TrimLeft(fold(strings.Repeat(" ", by)+text, by), " ")
}

// clean makes spaces of line breaks and other controls in text, which may come
// from anywhere and must not move a terminal's cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// fold breaks text into lines at its spaces, and a word that is longer than a
// line where that ends; lines after the first are indented.
func fold(text string, by int) string {
	text = clean(text)
	var b strings.Builder
	room := columns - len(text) + len(strings.TrimLeft(text, " "))
	for word := range strings.FieldsSeq(text) {
		size := utf8.RuneCountInString(word)
		if b.Len() > 0 && size+1 > room {
			b.WriteString("\n" + strings.Repeat(" ", by))
			room = columns - by
		} else if b.Len() > 0 {
			b.WriteString(" ")
			room--
		}
		for _, r := range word {
			if room == 0 {
				b.WriteString("\n" + strings.Repeat(" ", by))
				room = columns - by
			}
			b.WriteRune(r)
			room--
		}
	}
	return b.String() + "\n"
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// writeStatus writes a status as text, 80 columns wide at most.
func writeStatus(w io.Writer, st *processJSON, paint func(state, text string) string) error {
	var b strings.Builder
	head := fold(fmt.Sprintf("lift-extension %s, pid %d, up %s, %s", st.Version, st.PID, age(st.At.Sub(st.Started)), st.State), 2)
	b.WriteString(strings.Replace(head, st.State, paint(stateColor(st.State != "serving"), st.State), 1))
	st.writeConfig(&b, paint)
	rows(&b, []string{"listens on", "for", "calls"}, st.doorRows())
	rows(&b, []string{"peer", "pid", "calls", "connected"}, st.peerRows())
	rows(&b, []string{"service", "from", "endpoints", "registry"}, st.registryRows())
	rows(&b, []string{"certificate", "kind", "expires"}, st.certificateRows())
	if len(st.Problems) > 0 {
		b.WriteString("\n" + paint(stateColor(true), "Needs attention:") + "\n")
		for _, p := range st.Problems {
			b.WriteString(indented(p, 2))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// stateColor is the endpoint's state whose color this has.
func stateColor(bad bool) string {
	if bad {
		return "open"
	}
	return "closed"
}

// writeConfig writes which configuration is in force, and what became of the last
// reload.
func (st *processJSON) writeConfig(b *strings.Builder, paint func(state, text string) string) {
	file := cmp.Or(st.Config.File, "none found")
	if st.Config.Environment != "" {
		file += " (" + st.Config.Environment + ")"
	}
	b.WriteString(fold("configuration: "+file+", read "+age(st.At.Sub(st.Config.Since))+" ago", 2))
	if st.Config.Broken != "" {
		b.WriteString(paragraph("broken: "+st.Config.Broken, 2))
	}
	r := st.LastReload
	switch {
	case r == nil:
	case r.Refused == "":
		b.WriteString(fold(fmt.Sprintf("last reload: %s ago (%s), applied", age(st.At.Sub(r.At)), r.Trigger), 2))
	default:
		text := fold(fmt.Sprintf("last reload: %s ago (%s), refused; the configuration above stays in force", age(st.At.Sub(r.At)), r.Trigger), 2)
		b.WriteString(strings.Replace(text, "refused", paint(stateColor(true), "refused"), 1))
		b.WriteString(paragraph(r.Refused, 2))
	}
}

// paragraph folds each line of a text of several.
func paragraph(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(indented(line, by))
	}
	return b.String()
}

// row is one line of a table, and what is said below it.
type row struct {
	cells []string
	note  string
}

func (st *processJSON) doorRows() (out []row) {
	for _, d := range st.Doors {
		what := "any HTTP client"
		if d.Kind == "api" {
			what = "the Lift API"
		}
		if d.Service != "" {
			what = "the service " + d.Service
		}
		r := row{cells: []string{d.Address, what, fmt.Sprint(d.Calls)}}
		if d.Error != "" {
			r.cells[2], r.note = "-", "not open; trying again: "+d.Error
		}
		out = append(out, r)
	}
	return out
}

// peerRows has one row for all sessions of a program.
func (st *processJSON) peerRows() (out []row) {
	type program struct {
		software string
		pid      int64
	}
	var order []program
	all := map[program]*peerJSON{}
	for _, p := range st.Peers {
		k := program{p.Software, p.PID}
		if p.PID == 0 { // who knows whether they are one
			k.software += fmt.Sprint("\x00", len(order))
		}
		if all[k] == nil {
			order, all[k] = append(order, k), &p
			continue
		}
		all[k].Calls += p.Calls
		if p.Since.Before(all[k].Since) {
			all[k].Since = p.Since
		}
	}
	for _, k := range order {
		p, pid := all[k], "-"
		if p.PID > 0 {
			pid = fmt.Sprint(p.PID)
		}
		out = append(out, row{cells: []string{p.Software, pid, fmt.Sprint(p.Calls), age(st.At.Sub(p.Since)) + " ago"}})
	}
	return out
}

func (st *processJSON) registryRows() (out []row) {
	for _, g := range st.Registries {
		r := row{cells: []string{g.Service, cmp.Or(g.From, "-"), fmt.Sprint(g.Endpoints), "has not answered yet"}}
		if g.Told != nil {
			r.cells[3] = "told " + age(st.At.Sub(*g.Told)) + " ago"
		}
		switch {
		case g.Broken != "":
			r.cells[3] = "-"
			if st.Config.Broken == "" {
				r.note = "its configuration is broken: " + g.Broken
			}
		case g.Error != "":
			r.note = "the registry does not answer: " + g.Error
		}
		out = append(out, r)
	}
	return out
}

func (st *processJSON) certificateRows() (out []row) {
	for i := range st.Certificates {
		c := &st.Certificates[i]
		kind := "client"
		if c.Kind == "ca" {
			kind = "authority"
		}
		r := row{cells: []string{c.File, kind, c.NotAfter.UTC().Format(time.DateOnly)}}
		if soon := c.soon(st.At); soon != "" {
			r.note = fmt.Sprintf("%s %s; used for %s", c.Subject, soon, strings.Join(c.Services, ", "))
		}
		out = append(out, r)
	}
	return out
}

// rows writes a table below an empty line, nothing if it has no rows. The first
// column is cut in its middle if a line would be too long.
func rows(b *strings.Builder, head []string, all []row) {
	if len(all) == 0 {
		return
	}
	width := make([]int, len(head))
	for _, cells := range append([]row{{cells: head}}, all...) {
		for i, c := range cells.cells {
			cells.cells[i] = clean(c)
			width[i] = max(width[i], utf8.RuneCountInString(cells.cells[i]))
		}
	}
	const gap = 2
	for i := len(head) - 1; i > 0; i-- {
		width[i] = min(width[i], 24)
	}
	rest := 0
	for _, w := range width[1:] {
		rest += gap + w
	}
	width[0] = min(width[0], columns-rest)
	b.WriteString("\n")
	for i, r := range slices.Insert(slices.Clone(all), 0, row{cells: head}) {
		cells := make([]string, len(r.cells))
		for k, c := range r.cells {
			cells[k] = fmt.Sprintf("%-*s", width[k], middle(c, width[k]))
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, strings.Repeat(" ", gap)), " ") + "\n")
		if i > 0 && r.note != "" {
			b.WriteString(paragraph(r.note, 4))
		}
	}
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/liftmesh/lift/config"
)

// writeProblems shows errors and warnings, each with its line of the file and a
// caret below the place, and how many there are. It writes nothing for none.
func writeProblems(w io.Writer, cfg *config.Config, errors config.Problems) {
	all := slices.Concat(errors, cfg.Warnings)
	if len(all) == 0 {
		return
	}
	var b strings.Builder
	for _, p := range all {
		b.WriteString(p.Error() + "\n")
		if p.Excerpt != "" {
			line, indent := clip([]rune(p.Excerpt), p.Column-1)
			number := fmt.Sprintf("%5d", p.Line)
			fmt.Fprintf(&b, "%s | %s\n%*s | %*s^\n", number, line, len(number), "", indent, "")
		}
	}
	var counts []string
	if n := len(errors); n > 0 {
		counts = append(counts, count(n, "error"))
	}
	if n := len(cfg.Warnings); n > 0 {
		counts = append(counts, count(n, "warning"))
	}
	if len(all) > 1 || all[0].Line > 0 { // else it is that the file cannot be read
		fmt.Fprintf(&b, "%s in %s\n", strings.Join(counts, ", "), cfg.File)
	}
	_, _ = io.WriteString(w, b.String())
}

// clip cuts a long line around the place at, and returns where that is in the rest.
func clip(line []rune, at int) (shown string, indent int) {
	const width = 100
	begin := 0
	if len(line) > width {
		begin = min(max(at-width/2, 0), len(line)-width)
		line = line[begin : begin+width]
	}
	return string(line), max(min(at, begin+width)-begin, 0)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

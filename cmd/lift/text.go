package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// middle shortens text to width by leaving out its middle, since addresses differ
// at their ends.
func middle(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	head := (width - 2) / 2
	return string(runes[:head]) + ".." + string(runes[len(runes)-(width-2-head):])
}

// indented folds text into lines, each indented by that many spaces.
func indented(text string, by int) string {
	return strings.Repeat(" ", by) + strings.TrimLeft(fold(strings.Repeat(" ", by)+text, by), " ")
}

// clean replaces line breaks and other control characters by spaces: text may come
// from anywhere, and must not move a terminal's cursor.
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

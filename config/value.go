package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// read makes a datum of a rule's text. shown is how the text may be quoted in a
// message.
func (r *rule) read(s, shown string) (datum, *fault) {
	switch r.kind {
	case duration, span, size, whole, number:
		return r.readQuantity(s, shown)
	case choice:
		return r.readChoice(s, shown)
	case mode:
		return r.readMode(s, shown)
	case text, list:
		return r.readText(s, shown)
	case toggle:
		if s != "true" && s != "false" {
			return datum{}, bad(shown+" is neither true nor false", "want true or false")
		}
		return datum{text: s}, nil
	}
	panic("config: rule " + r.path + " has no kind")
}

// takes reports whether a value is one of the rule's.
func (r *rule) takes(s string) bool {
	switch r.kind {
	case duration, span, size, whole, number:
		_, within, err := r.quantity(s)
		return within && err == nil
	default:
		_, bad := r.read(s, s)
		return bad == nil
	}
}

func (r *rule) readChoice(s, shown string) (datum, *fault) {
	if slices.Contains(r.choices, s) {
		return datum{text: s}, nil
	}
	if remedy := r.meant[strings.ToLower(s)]; remedy != "" && shown != masked {
		return datum{}, bad(shown+" is not one of "+strings.Join(r.choices, ", "), remedy)
	}
	return datum{}, bad(shown+" is not a valid value", r.wanted()+didYouMean(s, r.choices))
}

func (r *rule) readMode(s, shown string) (datum, *fault) {
	n, err := strconv.ParseInt(s, 8, 64)
	if err != nil || n < 0 || len(strings.TrimPrefix(s, "0")) != 3 || !only(s, "") {
		return datum{}, bad(shown+" is not a file mode", `want four octal digits, such as "0600"`)
	}
	if n&0o600 != 0o600 {
		return datum{}, bad(shown+" does not let the owner read and write", `want at least "0600"`)
	}
	return datum{text: fmt.Sprintf("%04o", n), ns: n}, nil
}

func (r *rule) readText(s, shown string) (datum, *fault) {
	if s == "" {
		return datum{}, bad("the text is empty", "write one, such as "+r.example()+", or remove the key")
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return datum{}, bad("the text contains control characters or bytes that are not UTF-8", "want plain text on one line")
	}
	if err := r.check(s); err != nil {
		if user := credentials(s); user != "" {
			remedy := err.Error()
			if strings.Contains(remedy, user) {
				remedy = "remove the credentials in it"
			}
			return datum{}, &fault{what: "the text " + masked + " is not valid", remedy: remedy, secret: true}
		}
		if shown == masked {
			return datum{}, bad("the text "+masked+" is not valid here", "see "+r.path+" in docs/configuration-keys.md")
		}
		return datum{}, bad(shown+" is not valid", strings.ToValidUTF8(err.Error(), "\uFFFD"))
	}
	return datum{text: s}, nil
}

// credentials is what stands before the @ of a URL, "" without one. Neither
// messages nor logs may repeat it.
func credentials(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		return rest[:i]
	}
	return ""
}

// example is a value that is right.
func (r *rule) example() string {
	return cmp.Or(r.preset, r.sample, r.low)
}

func didYouMean(word string, known []string) string {
	if len(known) < 2 {
		return ""
	}
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

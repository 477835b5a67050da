package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// expanded is a scalar's text with its variables put in.
type expanded struct {
	text string
	// names of the variables that it was made with.
	names []string
	// secret: one of them is named like a secret.
	secret bool
}

// fault is what is wrong with a value, and what would be right.
type fault struct {
	what, remedy string
	unset        bool // a variable is missing
	secret       bool // the file's line shows what nobody should read
}

func bad(what, remedy string) *fault { return &fault{what: what, remedy: remedy} }

// expand puts variables into one scalar: ${NAME}, ${NAME:-text if it is not set
// or empty}. $${ is the text ${, and $$NAME the text $NAME. It runs after the YAML
// was parsed, so that a variable's content stays one value whatever it holds.
//
// $NAME, which shells and other tools take for the variable, is refused: as text
// it would be looked up, connected to or sent without anybody seeing why it fails.
func expand(s string, lookup Lookup) (expanded, *fault) {
	if !strings.Contains(s, "$") {
		return expanded{text: s}, nil
	}
	var out expanded
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(rest, "$") && opens(rest[1:]):
			b.WriteByte('$')
			b.WriteByte(rest[1])
			s = rest[2:]
		case !opens(rest):
			b.WriteByte('$')
			s = rest
		case rest[0] != '{':
			name := leadingName(rest)
			return out, bad(fmt.Sprintf("$%s is not read as a variable", name), fmt.Sprintf("write ${%s}, or $$%s for the text $%s", name, name, name))
		default:
			inside, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return out, bad("there is a ${ without its }", "want ${NAME} or ${NAME:-default}, or $${ for the text ${")
			}
			value, fault := out.variable(inside, lookup)
			if fault != nil {
				return out, fault
			}
			b.WriteString(value)
			s = after
		}
	}
	out.text = b.String()
	return out, nil
}

// variable is the value of what stands in ${...}.
func (x *expanded) variable(inside string, lookup Lookup) (string, *fault) {
	name, fallback, hasFallback := strings.Cut(inside, ":-")
	if !variableName(name) {
		return "", bad(fmt.Sprintf("%q is not the name of a variable", name), "want ${NAME} or ${NAME:-default}, or $${ for the text ${")
	}
	for i := range len(fallback) {
		if fallback[i] == '$' && opens(fallback[i+1:]) {
			return "", bad(fmt.Sprintf("the default of ${%s} holds another variable", name), fmt.Sprintf("write plain text as the default, such as ${%s:-text}", name))
		}
	}
	value, set := lookup(name)
	switch {
	case !set && !hasFallback:
		return "", &fault{what: fmt.Sprintf("the variable %s is not set", name), remedy: fmt.Sprintf("set it, or write ${%s:-default}", name), unset: true}
	case value == "" && hasFallback:
		value = fallback
	default:
		x.secret = x.secret || secretName(name)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", bad(fmt.Sprintf("the variable %s contains control characters or bytes that are not UTF-8", name), "want plain text on one line")
	}
	x.names = append(x.names, name)
	return value, nil
}

// latest is what AWS calls the newest version of a function. It is text.
const latest = "LATEST"

// opens reports whether a $ before s makes it the beginning of a variable.
func opens(s string) bool {
	return s != "" && (s[0] == '{' || variableName(s[:1]) && leadingName(s) != latest)
}

// leadingName is the name that s begins with.
func leadingName(s string) string {
	for i := range len(s) {
		if !only(s[i:i+1], "_") {
			return s[:i]
		}
	}
	return s
}

func variableName(s string) bool {
	return s != "" && !isDigit(s[0]) && only(s, "_")
}

// secretName reports whether a variable's name says that its value is not for
// everybody's eyes.
func secretName(s string) bool {
	s = strings.ToLower(s)
	for _, word := range []string{"token", "passw", "pwd", "secret", "key", "credential", "auth"} {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

// only reports whether s is made of ASCII letters, digits and the characters of
// others. (No regular expressions here: compiling the few there were cost
// 0.7 ms of every start.)
func only(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && !isDigit(c) && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// escape is the way back: text that expand leaves as it is.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '$' && opens(s[i+1:]) {
			b.WriteByte('$')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

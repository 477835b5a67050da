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
type fault struct{ what, remedy string }

// expand puts variables into one scalar: ${NAME}, ${NAME:-text if it is not set
// or empty}; $${ is a ${ as it stands. It runs after the YAML was parsed, so
// that a variable's content stays one value whatever it holds.
func expand(s string, lookup Lookup) (expanded, *fault) {
	if !strings.Contains(s, "${") {
		return expanded{text: s}, nil
	}
	var out expanded
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			break
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		inside, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return out, &fault{"${ without its }", "want ${NAME}, ${NAME:-default}, or $${ for a plain ${"}
		}
		s = rest
		name, fallback, hasFallback := strings.Cut(inside, ":-")
		if !variableName(name) {
			return out, &fault{fmt.Sprintf("%q is no name of a variable", name), "want ${NAME}, ${NAME:-default}, or $${ for a plain ${"}
		}
		value, set := lookup(name)
		switch {
		case !set && !hasFallback:
			return out, &fault{fmt.Sprintf("the variable %s is not set", name), fmt.Sprintf("set it, or write ${%s:-default}", name)}
		case value == "" && hasFallback:
			value = fallback
		default:
			out.secret = out.secret || secretName(name)
		}
		if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return out, &fault{fmt.Sprintf("the variable %s holds control characters or bytes that are not UTF-8", name), "want plain text on one line"}
		}
		out.names = append(out.names, name)
		b.WriteString(value)
	}
	out.text = b.String()
	return out, nil
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
func escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

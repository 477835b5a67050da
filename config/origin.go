package config

import (
	"fmt"
	"strings"
)

// origin is where a value came from.
type origin struct {
	file         string
	line, column int
	environment  string   // of the overlay, "" for the file's own part
	variable     string   // that overrode the file
	expanded     []string // variables that the text was made with
	derived      string   // of a default that is worked out
	service      bool     // stands under the service, not under defaults
}

// isDefault reports whether nobody gave the value.
func (o origin) isDefault() bool { return o.line == 0 && o.variable == "" }

// String is what print writes beside the value.
func (o origin) String() string {
	var s string
	switch {
	case o.variable != "":
		return "variable " + o.variable
	case o.derived != "":
		return "default: " + o.derived
	case o.line == 0:
		return "default"
	case o.environment != "":
		s = fmt.Sprintf("environment %s, %s:%d", o.environment, o.file, o.line)
	default:
		s = fmt.Sprintf("%s:%d", o.file, o.line)
	}
	if len(o.expanded) > 0 {
		s += ", from variable " + strings.Join(o.expanded, ", ")
	}
	return s
}

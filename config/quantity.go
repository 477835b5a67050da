package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var errNoRange = errors.New("not a range of durations")

// quantity reads a value that has bounds, and reports whether it is within them.
func (r *rule) quantity(s string) (d datum, within bool, err error) {
	switch r.kind {
	case duration:
		t, err := parseDuration(s)
		low, high := mustDuration(r.low), mustDuration(r.high)
		return datum{text: formatDuration(t), ns: int64(t)}, low <= t && t <= high, err
	case span:
		first, last, ok := strings.Cut(s, "..")
		a, errA := parseDuration(strings.TrimSpace(first))
		b, errB := parseDuration(strings.TrimSpace(last))
		if !ok || errA != nil || errB != nil {
			return datum{}, false, errNoRange
		}
		within = mustDuration(r.low) <= a && b <= mustDuration(r.high)
		return datum{text: formatDuration(a) + ".." + formatDuration(b), ns: int64(a), high: int64(b)}, within, nil
	case size:
		n, err := parseSize(s)
		low, _ := parseSize(r.low)
		high, _ := parseSize(r.high)
		return datum{text: formatSize(n), ns: n}, low <= n && n <= high, err
	case whole:
		n, err := parseWhole(s)
		low, _ := parseWhole(r.low)
		high, _ := parseWhole(r.high)
		return datum{text: strconv.FormatInt(n, 10), ns: n}, low <= n && n <= high, err
	default: // number
		f, err := strconv.ParseFloat(s, 64)
		if math.IsInf(f, 0) || math.IsNaN(f) {
			err = strconv.ErrSyntax
		}
		low, _ := strconv.ParseFloat(r.low, 64)
		high, _ := strconv.ParseFloat(r.high, 64)
		f += 0 // -0 is 0
		return datum{text: strconv.FormatFloat(f, 'g', -1, 64), f: f}, low <= f && f <= high, err
	}
}

// readQuantity is quantity with a fault for each way to get it wrong. A fault says
// "write X" only if the rule accepts X.
func (r *rule) readQuantity(s, shown string) (datum, *fault) {
	d, within, err := r.quantity(s)
	switch {
	case err == nil && r.kind == span && d.ns > d.high:
		return datum{}, bad(shown+" begins above its end", "put the shorter duration first, such as "+r.example())
	case err == nil && !within:
		return datum{}, r.outside(shown)
	case err == nil:
		return d, nil
	}
	if r.kind != span && strings.HasPrefix(s, "-") && len(s) > 1 && isDigit(s[1]) && (r.kind == duration || r.kind == size) {
		return datum{}, bad(shown+" is negative", r.wanted())
	}
	switch r.kind {
	case duration:
		return datum{}, r.badDuration(s, shown)
	case size:
		return datum{}, r.badSize(s, shown)
	case whole:
		return datum{}, r.badWhole(s, shown)
	case span:
		return datum{}, bad(shown+" is not a range of durations", "want two durations with their units, such as "+r.example())
	default:
		return datum{}, bad(shown+" is not a number", r.write(strings.Replace(s, ",", ".", 1)))
	}
}

func (r *rule) badDuration(s, shown string) *fault {
	if isNumber(s) {
		return bad(shown+" has no unit", r.write(s+"s", s+"ms"))
	}
	return bad(shown+" is not a duration with a unit (us, ms, s, m or h)", r.write(strings.Join(strings.Fields(s), "")))
}

func (r *rule) badSize(s, shown string) *fault {
	digits := strings.TrimSpace(strings.TrimRight(s, "BbKkMmGgi "))
	unit := strings.ToUpper(strings.Trim(s[len(digits):], "Bbi "))
	switch {
	case isNumber(s):
		return bad(shown+" has no unit", r.write(s+"KiB", s+"MiB"))
	case strings.HasSuffix(s, unit+"iB") && strings.Trim(digits, "0123456789") == "": // more bytes than can be counted
		return r.outside(shown)
	}
	return bad(shown+" is not a size with a unit (B, KiB, MiB or GiB)", r.write(digits+unit+"iB"))
}

func (r *rule) badWhole(s, shown string) *fault {
	f, err := strconv.ParseFloat(s, 64)
	number := err == nil || math.IsInf(f, 0)
	switch decimal := strings.TrimLeft(s, "0"); {
	case decimal != s && decimal != "" && strings.Trim(s, "0123456789") == "":
		return bad(shown+" begins with 0, which YAML 1.1 takes for octal", r.write(decimal))
	case number && f != math.Trunc(f):
		return bad(shown+" is not a whole number", r.wanted())
	case number && (f < 0 || f > math.MaxInt32):
		return r.outside(shown)
	case number: // 1e3, 2.0
		return bad(shown+" is not written in digits alone", r.write(strconv.FormatFloat(f, 'f', -1, 64)))
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil { // 0x10, 0o17, 1_000
		return bad(shown+" is not written in digits alone", r.write(strconv.FormatInt(n, 10)))
	}
	return bad(shown+" is not a whole number", r.wanted())
}

// outside says that a value is out of its range.
func (r *rule) outside(shown string) *fault {
	return bad(shown+" is out of range", fmt.Sprintf("want %s to %s", r.low, r.high))
}

// write names those of the values that the rule takes, and without one what it takes.
func (r *rule) write(values ...string) string {
	var fit []string
	for _, v := range values {
		if r.takes(v) {
			fit = append(fit, v)
		}
	}
	if len(fit) == 0 {
		return r.wanted()
	}
	return "write " + strings.Join(fit, " or ")
}

// wanted says what the rule takes, with an example.
func (r *rule) wanted() string {
	switch r.kind {
	case whole, number:
		return fmt.Sprintf("want a %s from %s to %s", r.kind, r.low, r.high)
	case duration, size:
		return fmt.Sprintf("want a %s from %s to %s, such as %s", r.kind, r.low, r.high, r.example())
	case choice:
		return "want " + alternatives(r.choices)
	case toggle:
		return "want true or false, without quotes"
	default:
		return fmt.Sprintf("want a %s, such as %s", r.kind, r.example())
	}
}

// alternatives is a list as people write it: a, b or c.
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.Trim(s, "0123456789.") == ""
}

// mustDuration is for the table's own text; a test reads all of it.
func mustDuration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic("config: " + err.Error())
	}
	return d
}

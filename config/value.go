package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// read makes a datum of a rule's text. shown is how the text may be quoted in a
// message.
func (r *rule) read(s, shown string) (datum, *fault) {
	switch r.kind {
	case duration:
		return r.readDuration(s, shown)
	case span:
		return r.readSpan(s, shown)
	case size:
		return r.readSize(s, shown)
	case whole:
		return r.readWhole(s, shown)
	case number:
		return r.readNumber(s, shown)
	case choice:
		return r.readChoice(s, shown)
	case mode:
		return r.readMode(s, shown)
	case text, list:
		return r.readText(s, shown)
	case toggle:
		return readFlag(s, shown)
	}
	panic("config: rule " + r.path + " has no kind")
}

func (r *rule) readDuration(s, shown string) (datum, *fault) {
	d, err := parseDuration(s)
	if err != nil {
		return datum{}, &fault{shown + " is no duration with a unit", "want a duration such as " + r.example()}
	}
	low, high := mustDuration(r.low), mustDuration(r.high)
	if d < low || d > high {
		return datum{}, r.outside(shown)
	}
	return datum{text: formatDuration(d), ns: int64(d)}, nil
}

func (r *rule) readSpan(s, shown string) (datum, *fault) {
	first, last, ok := strings.Cut(s, "..")
	a, errA := parseDuration(strings.TrimSpace(first))
	b, errB := parseDuration(strings.TrimSpace(last))
	if !ok || errA != nil || errB != nil {
		return datum{}, &fault{shown + " is no range of durations", "want two with their units, such as " + r.example()}
	}
	if a > b {
		return datum{}, &fault{shown + " begins above its end", "want the shorter first, such as " + r.example()}
	}
	if a < mustDuration(r.low) || b > mustDuration(r.high) {
		return datum{}, r.outside(shown)
	}
	return datum{text: formatDuration(a) + ".." + formatDuration(b), ns: int64(a), high: int64(b)}, nil
}

func (r *rule) readSize(s, shown string) (datum, *fault) {
	n, err := parseSize(s)
	if err != nil {
		return datum{}, &fault{shown + " is no size with a unit", "want B, KiB, MiB or GiB, such as " + r.example()}
	}
	low, _ := parseSize(r.low)
	high, _ := parseSize(r.high)
	if n < low || n > high {
		return datum{}, r.outside(shown)
	}
	return datum{text: formatSize(n), ns: n}, nil
}

func (r *rule) readWhole(s, shown string) (datum, *fault) {
	n, err := parseWhole(s)
	if err != nil {
		return datum{}, &fault{shown + " is no whole number", fmt.Sprintf("want one from %s to %s", r.low, r.high)}
	}
	low, _ := parseWhole(r.low)
	high, _ := parseWhole(r.high)
	if n < low || n > high {
		return datum{}, r.outside(shown)
	}
	return datum{text: strconv.FormatInt(n, 10), ns: n}, nil
}

func (r *rule) readNumber(s, shown string) (datum, *fault) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) {
		return datum{}, &fault{shown + " is no number", fmt.Sprintf("want one from %s to %s", r.low, r.high)}
	}
	low, _ := strconv.ParseFloat(r.low, 64)
	high, _ := strconv.ParseFloat(r.high, 64)
	if f < low || f > high {
		return datum{}, r.outside(shown)
	}
	f += 0 // -0 is 0
	return datum{text: strconv.FormatFloat(f, 'g', -1, 64), f: f}, nil
}

func (r *rule) readChoice(s, shown string) (datum, *fault) {
	if slices.Contains(r.choices, s) {
		return datum{text: s}, nil
	}
	return datum{}, &fault{shown + " is not known here", "want " + strings.Join(r.choices, " or ") + didYouMean(s, r.choices)}
}

func (r *rule) readMode(s, shown string) (datum, *fault) {
	n, err := strconv.ParseInt(s, 8, 64)
	if err != nil || n < 0 || len(strings.TrimPrefix(s, "0")) != 3 || !only(s, "") {
		return datum{}, &fault{shown + " is no file mode", `want four octal digits, such as "0600"`}
	}
	if n&0o600 != 0o600 {
		return datum{}, &fault{shown + " keeps the owner out", `want at least "0600"`}
	}
	return datum{text: fmt.Sprintf("%04o", n), ns: n}, nil
}

func readFlag(s, shown string) (datum, *fault) {
	if s != "true" && s != "false" {
		return datum{}, &fault{shown + " is neither true nor false", "want true or false"}
	}
	return datum{text: s}, nil
}

func (r *rule) readText(s, shown string) (datum, *fault) {
	if s == "" {
		return datum{}, &fault{"the text is empty", "give one or remove the key"}
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return datum{}, &fault{"the text holds control characters or bytes that are not UTF-8", "want plain text on one line"}
	}
	if err := r.check(s); err != nil {
		if _, secret := errors.AsType[unspeakable](err); secret {
			return datum{}, &fault{"the text " + masked + " is not right", err.Error()}
		}
		if shown == masked {
			return datum{}, &fault{"the text " + masked + " is not right here", "see " + r.path + " in docs/configuration-keys.md"}
		}
		return datum{}, &fault{shown + " is not right", strings.ToValidUTF8(err.Error(), "\uFFFD")}
	}
	return datum{text: s}, nil
}

// outside says that a value is out of its range.
func (r *rule) outside(shown string) *fault {
	return &fault{shown + " is out of range", fmt.Sprintf("want %s to %s", r.low, r.high)}
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

// mustDuration is for the table's own text; a test reads all of it.
func mustDuration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic("config: " + err.Error())
	}
	return d
}

package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration is time.ParseDuration for what a limit can be: a unit always,
// no sign.
func parseDuration(s string) (time.Duration, error) {
	if s == "" || strings.ContainsAny(s[:1], "+-") || !strings.ContainsAny(s, "hmsuµμn") {
		return 0, errors.New("not a duration with a unit")
	}
	return time.ParseDuration(s)
}

// formatDuration writes d the way people do: 1m30s, 2m, 250ms.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits are binary: what they limit is memory. Largest first.
func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// parseSize reads a whole number with its unit: 64KiB, 1MiB, 512B.
func parseSize(s string) (int64, error) {
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := parseWhole(strings.TrimSpace(digits))
		if err != nil {
			return 0, err
		}
		if n > math.MaxInt64/u.bytes {
			return 0, errors.New("too large")
		}
		return n * u.bytes, nil
	}
	return 0, errors.New("not a size with a unit")
}

// formatSize writes n bytes with the largest unit that divides it.
func formatSize(n int64) string {
	for _, u := range sizeUnits() {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// parseWhole reads a decimal number without sign, and without leading zeros,
// which YAML 1.1 takes for octal and YAML 1.2 does not.
func parseWhole(s string) (int64, error) {
	if s == "" || s[0] == '+' || s[0] == '-' || len(s) > 1 && s[0] == '0' {
		return 0, errors.New("not a whole number")
	}
	return strconv.ParseInt(s, 10, 64)
}

package config

import "strings"

// NeedRestart returns the keys whose values differ in next and that take effect
// at the next start only, sorted. Services are never among them.
func (c *Config) NeedRestart(next *Config) (keys []string) {
	settings := globalSettings()
	for i := range settings {
		rule := &settings[i].rule
		if rule.live || strings.HasPrefix(rule.path, "registry.") || strings.HasPrefix(rule.path, "lambda.") {
			continue
		}
		var before, after mark
		before.note("", c.globals[rule.path])
		after.note("", next.globals[rule.path])
		if string(before) != string(after) {
			keys = append(keys, rule.path)
		}
	}
	return keys
}

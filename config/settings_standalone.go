package config

import "time"

// standaloneSettings are for life beside a container. Inside Lambda the platform
// says when and how fast it ends.
func standaloneSettings() []setting[Config] {
	return []setting[Config]{
		{rule{
			path: "drain.max", live: true, kind: duration, low: "0s", high: "1h", preset: "25s",
			means: "standalone: the longest time that calls may go on after SIGTERM; calls that are still running then are cut",
			why:   "below the 30 s after which Kubernetes and ECS kill a container",
		}, func(c *Config, d datum) { c.Drain.Max = time.Duration(d.ns) }},
		{rule{
			path: "drain.quiet", live: true, kind: duration, low: "100ms", high: "1h", preset: "2s",
			means: "standalone: after SIGTERM, clients that are still connected count as finished once no call has run for this long",
			why:   "an application that stops at the same time still sends its last calls",
		}, func(c *Config, d datum) { c.Drain.Quiet = time.Duration(d.ns) }},
	}
}

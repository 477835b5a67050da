package config

import "time"

// standaloneSettings are for life beside a container. Inside Lambda the platform
// says when and how fast it ends.
func standaloneSettings() []setting[Config] {
	return []setting[Config]{
		{rule{
			path: "drain.max", live: true, kind: duration, low: "0s", high: "1h", preset: "25s",
			means: "standalone, how long calls may go on after SIGTERM, in all; what runs then is cut",
			why:   "below the 30 s after which Kubernetes and ECS kill",
		}, func(c *Config, d datum) { c.Drain.Max = time.Duration(d.ns) }},
		{rule{
			path: "drain.quiet", live: true, kind: duration, low: "100ms", high: "1h", preset: "2s",
			means: "standalone, after SIGTERM: the clients that are still connected count as done once no call has run for so long",
			why:   "an application that ends at the same time still flushes, commits and says goodbye",
		}, func(c *Config, d datum) { c.Drain.Quiet = time.Duration(d.ns) }},
	}
}

package dns

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// conf is what is known of how to ask.
type conf struct {
	servers  []string
	search   []string // without the dot at the end
	ndots    int
	attempts int
	timeout  time.Duration
	rotate   bool
	tcp      bool
}

const (
	defaultTimeout  = time.Second
	defaultAttempts = 2
	// The most of each that is taken. glibc takes 3 servers; others take more.
	mostServers = 8
	mostSearch  = 32
	mostFile    = 64 << 10
)

// source returns what reads the configuration. A file that could be read once
// and then cannot leaves what it said in force.
func (r *Registry) source() func() (conf, error) {
	if len(r.Servers) > 0 {
		c := conf{servers: r.Servers, ndots: 1, attempts: defaultAttempts, timeout: defaultTimeout}
		if r.Timeout > 0 {
			c.timeout = r.Timeout
		}
		return func() (conf, error) { return c, nil }
	}
	var mu sync.Mutex
	var last *conf
	return func() (conf, error) {
		mu.Lock()
		defer mu.Unlock()
		text, err := readConf(r.ResolvConf)
		if err == nil {
			c := parseConf(text)
			if r.Timeout > 0 {
				c.timeout = r.Timeout
			}
			last = &c
		}
		if last == nil {
			return conf{}, fmt.Errorf("which DNS servers to ask: %w; correct the file, or name them in dns.servers", err)
		}
		return *last, nil
	}
}

func readConf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostFile))
	return string(text), err
}

// parseConf reads a resolv.conf(5). Like the C library it passes over what it
// does not know, and asks this host where no server is named.
func parseConf(text string) conf {
	c := conf{ndots: 1, attempts: defaultAttempts, timeout: defaultTimeout}
	for line := range strings.Lines(text) {
		if line[0] == '#' || line[0] == ';' {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if addr, ok := parseAddr(f[1]); ok && len(c.servers) < mostServers {
				c.servers = append(c.servers, net.JoinHostPort(addr.String(), "53"))
			}
		case "domain":
			c.search = domains(f[1:2])
		case "search":
			c.search = domains(f[1:])
		case "options":
			for _, o := range f[1:] {
				c.option(o)
			}
		}
	}
	if len(c.servers) == 0 {
		c.servers = []string{"127.0.0.1:53", "[::1]:53"}
	}
	return c
}

func domains(names []string) (out []string) {
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if CheckName(name) == nil && len(out) < mostSearch {
			out = append(out, name)
		}
	}
	return out
}

// option takes one of the options; bounds are resolv.conf(5)'s, but for the
// timeout, which is 5 s at most.
func (c *conf) option(o string) {
	name, value, _ := strings.Cut(o, ":")
	n, err := strconv.Atoi(value)
	switch {
	case name == "rotate":
		c.rotate = true
	case name == "use-vc" || name == "usevc" || name == "tcp":
		c.tcp = true
	case err != nil || n < 0:
	case name == "ndots":
		c.ndots = min(n, 15)
	case name == "timeout":
		c.timeout = time.Duration(min(max(n, 1), 5)) * time.Second
	case name == "attempts":
		c.attempts = min(max(n, 1), 5)
	}
}

// names are those to ask for in turn, fully qualified: with enough dots as it
// stands first, else in the search domains first. A dot at the end means: as it
// stands.
func (c *conf) names(name string) []string {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, ".") {
		return []string{name}
	}
	var out []string
	for _, domain := range c.search {
		if full := name + "." + domain; len(full) <= maxName {
			out = append(out, full+".")
		}
	}
	if strings.Count(name, ".") >= c.ndots {
		return append([]string{name + "."}, out...)
	}
	return append(out, name+".")
}

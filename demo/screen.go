package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/demo/report"
)

// screen shows the tally: one live picture on a terminal, plain lines elsewhere.
type screen struct {
	out  io.Writer
	live bool
	t    *tally
	rows int // of the last picture
}

func newScreen(out *os.File, t *tally) *screen {
	info, err := out.Stat()
	live := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &screen{out: out, live: live, t: t}
}

// say prints a line that stays.
func (s *screen) say(format string, args ...any) {
	s.erase()
	fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *screen) erase() {
	if s.rows > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.rows)
		s.rows = 0
	}
}

// draw shows the current state in place of the last picture.
func (s *screen) draw() {
	if !s.live {
		return
	}
	picture := s.picture()
	s.erase()
	_, _ = io.WriteString(s.out, picture)
	s.rows = strings.Count(picture, "\n")
}

func (s *screen) picture() string {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	var b strings.Builder
	if len(s.t.phases) == 0 {
		return ""
	}
	p := s.t.phases[len(s.t.phases)-1]
	fmt.Fprintf(&b, "\n  %-8s %-12s %-10s %6s %8s  %s\n", "instance", "is", "Lift sees", "share", "p50", "why")
	all := 0
	for _, n := range p.served {
		all += n
	}
	for _, v := range s.t.instances {
		recent := score{took: v.took}
		share := 0.0
		if all > 0 {
			share = float64(p.served[v.Name]) / float64(all)
		}
		fmt.Fprintf(&b, "  %-8s %-12s %s %5.0f%% %8s  %s\n", v.Name, v.Doing, paint(v.State, 10), share*100,
			short(recent.quantile(0.5)), clip(v.Why, 28))
	}
	s.others(&b)
	fmt.Fprintf(&b, "\n%s\n  (for %s now)\n", row(p, s.t.instances), time.Since(p.began).Round(100*time.Millisecond))
	return b.String()
}

// others writes a line for each other kind of calls. The caller holds the tally's lock.
func (s *screen) others(b *strings.Builder) {
	calls := s.t.sum(kind{report.RPC, true, false})
	fmt.Fprintf(b, "  %-8s %6d calls, %d failed, p50 %s ", "gRPC", calls.Sent, calls.Failed, short(calls.quantile(0.5)))
	for _, v := range s.t.instances {
		fmt.Fprintf(b, "  %s %s", v.Name, paint(v.GRPCState, 0))
	}
	b.WriteString("\n")
	if s.t.consul {
		all := s.t.sum(kind{report.Consul, true, false})
		fmt.Fprintf(b, "  %-8s %6d GETs of the service in Consul, %d failed, p50 %s\n", "Consul", all.Sent, all.Failed, short(all.quantile(0.5)))
	}
	if s.t.language != "" {
		all := s.t.sum(kind{report.Caller, true, false})
		fmt.Fprintf(b, "  %-8s %6d GETs through the plain door, %d failed, p50 %s\n", s.t.language, all.Sent, all.Failed, short(all.quantile(0.5)))
	}
}

// head prints the head of the table of phases.
func (s *screen) head() {
	s.say("\n  %-22s %-17s %-17s %s", "", "failed with Lift", "failed without", "served by (Lift)")
	var names strings.Builder
	for _, v := range s.t.instances {
		fmt.Fprintf(&names, " %5s", v.Name)
	}
	s.say("  %-22s %-8s %-8s %-8s %-8s%s", "", "GET", "POST", "GET", "POST", names.String())
}

// finish prints the row of the phase that has ended.
func (s *screen) finish() {
	s.t.mu.Lock()
	text := row(s.t.phases[len(s.t.phases)-1], s.t.instances)
	s.t.mu.Unlock()
	s.say("%s", text)
}

// row returns a phase in one line. The caller holds the tally's lock.
func row(p *phase, instances []*instanceView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %-22s", p.Name)
	for _, lift := range []bool{true, false} {
		for _, post := range []bool{false, true} {
			sc := p.score(kind{report.HTTP, lift, post})
			fmt.Fprintf(&b, " %-8s", fmt.Sprintf("%d/%d", sc.Failed, sc.Sent))
		}
	}
	for _, v := range instances {
		fmt.Fprintf(&b, " %5d", p.served[v.Name])
	}
	return b.String()
}

// table prints the totals: the same calls with Lift and without.
func (s *screen) table() {
	s.say("\n  %-26s %14s %14s", "", "with Lift", "plain client")
	s.block("GET", kind{report.HTTP, false, false})
	s.block("POST", kind{report.HTTP, false, true})
	s.block("gRPC", kind{report.RPC, false, false})
	if s.t.consul {
		s.block("Consul GET", kind{report.Consul, false, false})
	}
	if s.t.language != "" {
		s.block(s.t.language+" GET", kind{report.Caller, false, false})
	}
}

// block prints how one kind of calls ended, each way.
func (s *screen) block(name string, k kind) {
	row := func(what string, f func(t score) string) {
		with, without := k, k
		with.lift, without.lift = true, false
		plain := "-"
		if t := s.t.total(without); t.Sent > 0 {
			plain = f(t)
		}
		s.say("  %-26s %14s %14s", name+" "+what, f(s.t.total(with)), plain)
	}
	row("sent", func(t score) string { return fmt.Sprint(t.Sent) })
	row("failed", func(t score) string { return fmt.Sprint(t.Failed) })
	row("p50", func(t score) string { return short(t.quantile(0.5)) })
	row("p99", func(t score) string { return short(t.quantile(0.99)) })
}

func short(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}

// paint returns a state in words for people, in color. It pads by hand, because color
// codes have no width.
func paint(state string, width int) string {
	color := map[string]string{"closed": "32", "open": "31", "half_open": "33"}[state]
	e := lift.EndpointStatus{State: state}
	return fmt.Sprintf("\x1b[%sm%-*s\x1b[0m", color, width, e.Health())
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-3] + "..."
}

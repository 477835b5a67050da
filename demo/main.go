// Command demo shows Lift's main job on real processes: a function on a local Lambda
// calls the service "orders" through lift-extension, while instances are killed,
// stopped and broken and the environment is frozen and thawed. A plain http.Client
// makes the same calls for comparison.
//
// It exits with 0 only if Lift saved every call that it promises to save, and every
// promised reaction was seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// pace is the pause between invocations.
const pace = 15 * time.Millisecond

func main() {
	keep := flag.Bool("keep", false, "leave everything running afterwards, to play with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, *keep)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, keep bool) int {
	t := &tally{}
	s := newScreen(os.Stdout, t)
	fail := func(err error) int {
		s.say("demo: %v", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "lift-demo-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	s.say("  building lift-extension, the function and the service's instances ...")
	b, err := compile(ctx, dir)
	if err != nil {
		return fail(err)
	}
	began := time.Now()
	t.begin("start", true)
	w, err := open(ctx, dir, b, t)
	if err != nil {
		return fail(err)
	}
	defer w.close()
	for _, what := range w.leftOut() {
		s.say("  left out: %s", what)
	}
	if err := play(ctx, w, s); err != nil {
		return fail(err)
	}
	if keep && ctx.Err() == nil {
		w.tryThis(os.Stdout)
		t.begin("kept running", false)
		flow(ctx, w, s, 24*time.Hour)
		return 0
	}
	w.close()
	return conclude(s, w, time.Since(began))
}

// play plays the scenes while invocations flow.
func play(ctx context.Context, w *world, s *screen) error {
	s.head()
	for i, scene := range story {
		w.tally.begin(scene.name, i == 0)
		s.draw()
		if scene.move != nil {
			if err := scene.move(w, ctx); err != nil {
				return fmt.Errorf("%s: %w", scene.name, err)
			}
		}
		flow(ctx, w, s, scene.last)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.finish()
	}
	return nil
}

// flow lets invocations flow for a while.
func flow(ctx context.Context, w *world, s *screen, last time.Duration) {
	end := time.Now().Add(last)
	for time.Now().Before(end) && ctx.Err() == nil {
		w.invoke(ctx, false)
		s.draw()
		select {
		case <-ctx.Done():
		case <-time.After(pace):
		}
	}
	w.invoke(ctx, true) // each call counts in the phase in which it began
}

func conclude(s *screen, w *world, took time.Duration) int {
	s.table()
	missed := w.verdict()
	if len(missed) == 0 {
		s.say("\n  All calls that Lift promises to save were answered, and every instance was\n  taken out, probed, and used again once it was healthy. It took %s.", took.Round(time.Second))
		return 0
	}
	s.say("\n  Not as promised:")
	for _, m := range missed {
		s.say("    %s", m)
	}
	return 1
}

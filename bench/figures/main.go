// Command figures measures what Lift costs, on real processes: how soon the
// extension registers, what memory it keeps for itself, how large the layer is,
// and what a call through it costs beside the same call made directly, in one
// run. Machines are noisy; read the ratios.
//
//	go run ./bench/figures
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	serve := flag.String("serve", "", "internal: be the upstream, on this address")
	seconds := flag.Float64("seconds", 3, "how long each throughput is measured")
	rounds := flag.Int("rounds", 3, "how often, in turns")
	flag.Parse()
	if *serve != "" {
		upstream(*serve)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, time.Duration(*seconds*float64(time.Second)), *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1) //nolint:gocritic // nothing deferred matters by now
	}
}

func run(ctx context.Context, each time.Duration, rounds int) error {
	dir, err := os.MkdirTemp("", "lift-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	extension := filepath.Join(dir, "extensions", "lift")
	function := filepath.Join(dir, "bootstrap")
	for out, pkg := range map[string]string{extension: "./cmd/lift-extension", function: "./demo/function"} {
		if err := build(ctx, out, pkg); err != nil {
			return err
		}
	}
	if err := startUp(ctx, dir, extension, function); err != nil {
		return err
	}
	return calls(ctx, dir, extension, each, rounds)
}

// build builds a program as the layer does.
func build(ctx context.Context, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, text)
	}
	return nil
}

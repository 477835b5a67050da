// Command build compiles lift-extension for Lambda's architectures and packs
// each into the zip of a layer. The same source and the same Go give the same
// bytes. It prints each zip's path, size and SHA-256.
//
//	go run ./layer/build [-o dist] [-pkg ./cmd/lift-extension] [-arch amd64,arm64]
//
// SOURCE_DATE_EPOCH, if set, is the time of the entries in seconds since 1970.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift/layer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "layer/build:", err)
		os.Exit(1) //nolint:gocritic // stop gives back a signal handler, and the process ends here
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "dist", "the `folder` to write to")
	pkg := flags.String("pkg", "./cmd/lift-extension", "the `package` of the extension's program")
	archs := flags.String("arch", "amd64,arm64", "the architectures, as GOARCH calls them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var modified time.Time
	if s := getenv("SOURCE_DATE_EPOCH"); s != "" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH=%q: not a number of seconds since 1970", s)
		}
		modified = time.Unix(seconds, 0)
	}
	for arch := range strings.SplitSeq(*archs, ",") {
		program, err := compile(ctx, *pkg, arch, stderr)
		if err != nil {
			return err
		}
		var zip bytes.Buffer
		if err := layer.Build(&zip, []layer.File{{Name: layer.Extension, Mode: 0o755, Modified: modified, Data: program}}); err != nil {
			return err
		}
		if err := layer.Verify(bytes.NewReader(zip.Bytes()), int64(zip.Len()), arch); err != nil {
			return err
		}
		path := filepath.Join(*out, "lift-layer-"+arch+".zip")
		if err := replace(path, zip.Bytes()); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "%s  %.2f MB (%.2f MB unpacked)  sha256:%x\n",
			path, float64(zip.Len())/1e6, float64(len(program))/1e6, sha256.Sum256(zip.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// compile builds pkg for Lambda and returns the program. It overrides every variable of
// the caller's environment that could change the bytes.
func compile(ctx context.Context, pkg, arch string, stderr io.Writer) ([]byte, error) {
	dir, err := os.MkdirTemp("", "lift-layer-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "lift")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("compile %s for linux/%s: %w", pkg, arch, err)
	}
	return os.ReadFile(program)
}

// replace writes a file atomically, so that no reader sees half of it.
func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

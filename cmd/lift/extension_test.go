package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
)

// standIn is a lift-extension for scripts: a real mesh behind a real socket, and a
// diary of its life in the file $DIARY. With "die" in $STANDIN it fails as it
// starts, with "http" it opens the plain door too. The tests of e2e use the real one.
func standIn() int {
	diary := func(line string) {
		f, err := os.OpenFile(os.Getenv("DIARY"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return
		}
		defer f.Close()
		_, _ = fmt.Fprintln(f, "sidecar: "+line)
	}
	if os.Getenv("STANDIN") == "die" {
		fmt.Fprintln(os.Stderr, "stand-in: cannot listen")
		return 1
	}
	cfg, problems := load(nil, "", os.LookupEnv)
	if len(problems) > 0 {
		fmt.Fprintln(os.Stderr, problems)
		return 1
	}
	return serveUntilTold(cfg, diary)
}

func serveUntilTold(cfg *config.Config, diary func(string)) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	m := mesh.New(mesh.Options{Services: cfg.Services})
	defer m.Close()
	server, err := sidecar.Listen(sidecar.Config{Socket: cfg.Socket, Caller: m})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() { _ = server.Serve(context.Background()) }()
	if os.Getenv("STANDIN") == "http" {
		door, err := plain.Listen(plain.Config{Addresses: cfg.Plain, Caller: m, Services: m.Names()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer door.Close()
		go func() { _ = door.Serve(context.Background()) }()
	}
	_ = os.WriteFile("sidecar.pid", fmt.Appendln(nil, os.Getpid()), 0o600)
	diary("serves")
	if c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET")); err == nil {
		_, _ = c.Write([]byte("READY=1"))
	}
	for sig := range signals {
		diary(sig.String())
		if sig == syscall.SIGTERM {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Drain(ctx); err != nil {
		diary(err.Error())
	}
	diary("has drained")
	return 0
}

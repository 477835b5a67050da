package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/liftmesh/lift/config"
	liftext "github.com/liftmesh/lift/extension"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/sdk"
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
	env, inside := liftext.FromEnv(os.Getenv)
	if (inside || os.Getenv("STANDIN") == "http") && len(cfg.Plain) > 0 {
		door, err := plain.Listen(plain.Config{Addresses: cfg.Plain, Caller: m, Services: m.Names()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer door.Close()
		go func() { _ = door.Serve(context.Background()) }()
	}
	if inside {
		return inLambda(env)
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

// inLambda registers and goes from event to event.
func inLambda(env liftext.Env) int {
	c := liftext.New(liftext.Config{API: env.API})
	if _, err := c.Register(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("level", os.Getenv("LIFT_LOG_LEVEL"))
	for event, err := range c.Events(context.Background()) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println("event", event.Type)
		if event.Type == liftext.Shutdown {
			return 0
		}
	}
	return 1
}

// function is a Lambda function that does what its event says.
func function() {
	invoked := 0
	lambda.Start(func(ctx context.Context, event struct{ Do, Service, Path string }) (any, error) {
		invoked++
		switch event.Do {
		case "fail":
			return nil, errors.New("no such order")
		case "exit":
			os.Exit(7)
		case "hang":
			<-ctx.Done()
			select {}
		case "env":
			folder, err := os.Getwd()
			return map[string]string{
				"folder": folder, "root": os.Getenv("LAMBDA_TASK_ROOT"), "config": os.Getenv("LIFT_CONFIG"), "env": os.Getenv("LIFT_ENV"),
				"table": os.Getenv("TABLE"), "memory": os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "name": os.Getenv("AWS_LAMBDA_FUNCTION_NAME"),
			}, err
		case "call":
			client, err := sdk.Dial("")
			if err != nil {
				return nil, err
			}
			defer client.Close()
			return sdk.Get[any](ctx, client, event.Service, event.Path)
		}
		fmt.Println("invoked", invoked)
		return invoked, nil
	})
}

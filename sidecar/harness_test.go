package sidecar_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

func start(t testing.TB, caller lift.Caller, cfg sidecar.Config) (*sidecar.Server, string) {
	t.Helper()
	if cfg.Socket == "" {
		cfg.Socket = filepath.Join(t.TempDir(), "lift.sock")
	}
	cfg.Caller = caller
	srv, err := sidecar.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return srv, cfg.Socket
}

func connect(t testing.TB, socket string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// raw is a session without an SDK.
type raw struct {
	t testing.TB
	liftv1.Lift_SessionClient
	pending []*liftv1.ServerFrame
}

func session(t testing.TB, conn *grpc.ClientConn) *raw {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	stream, err := liftv1.NewLiftClient(conn).Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &raw{t: t, Lift_SessionClient: stream}
}

func greeted(t testing.TB, conn *grpc.ClientConn) *raw {
	t.Helper()
	r := session(t, conn)
	r.send(hello())
	if f, err := r.next(); err != nil || f.GetHello() == nil {
		t.Fatalf("no Hello: %v, %v", f, err)
	}
	return r
}

func (r *raw) send(frames ...*liftv1.ClientFrame) {
	r.t.Helper()
	if err := r.Send(&liftv1.ClientFrames{Frames: frames}); err != nil {
		r.t.Logf("send: %v", err)
	}
}

func (r *raw) next() (*liftv1.ServerFrame, error) {
	for len(r.pending) == 0 {
		msg, err := r.Recv()
		if err != nil {
			return nil, err
		}
		r.pending = msg.GetFrames()
	}
	f := r.pending[0]
	r.pending = r.pending[1:]
	return f, nil
}

func hello() *liftv1.ClientFrame {
	return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Hello{Hello: &liftv1.Hello{}}}
}

func call(c *liftv1.Call) *liftv1.ClientFrame {
	return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Call{Call: c}}
}

func data(id uint64, n int, end bool) *liftv1.ClientFrame {
	return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Data{Data: &liftv1.Data{Id: id, Body: make([]byte, n), End: end}}}
}

func credit(id uint64, n uint32) *liftv1.ClientFrame {
	return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Credit{Credit: &liftv1.Credit{Id: id, Bytes: n}}}
}

func cancel(id uint64) *liftv1.ClientFrame {
	return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Cancel{Cancel: &liftv1.Cancel{Id: id}}}
}

func echo(c *lift.Call) (*lift.Response, error) {
	content, err := c.Body.ReadAll(0)
	if err != nil {
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", err)
	}
	body := lift.BytesBody(content)
	body.SetTrailer([]lift.Field{{Name: "After", Value: "all"}})
	return &lift.Response{Status: 200, Header: []lift.Field{{Name: "X-Path", Value: c.Path}}, Body: body}, nil
}

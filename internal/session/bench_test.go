package session_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

var reply = []byte(`{"id":"o-1","total":1299,"currency":"EUR","lines":[{"sku":"a","qty":1},{"sku":"b","qty":2}]}`)

func instant(c *lift.Call) (*lift.Response, error) {
	c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.1:80"}, Outcome: lift.OK, Status: 200, Reached: lift.Answered})
	return &lift.Response{
		Status: 200, Header: []lift.Field{{Name: "Content-Type", Value: "application/json"}}, Body: lift.BytesBody(reply),
	}, nil
}

// BenchmarkSession is one small call over a real unix socket, at 1 and 64 callers.
func BenchmarkSession(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			cl, _ := overSocket(b, lift.CallerFunc(instant), sidecar.Config{}, session.Options{})
			at(b, callers, func() error {
				_, _, err := ask(cl, &lift.Call{Service: "orders", Method: "POST", Path: "/orders", Body: lift.BytesBody(reply)})
				return err
			})
		})
	}
}

// BenchmarkUnary is the same call by the unary door.
func BenchmarkUnary(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			_, srv := overSocket(b, lift.CallerFunc(instant), sidecar.Config{}, session.Options{})
			conn, err := grpc.NewClient("unix:"+srv.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			api := liftv1.NewLiftClient(conn)
			at(b, callers, func() error {
				_, err := api.Call(context.Background(), &liftv1.CallRequest{Service: "orders", Method: "POST", Path: "/orders", Body: reply})
				return err
			})
		})
	}
}

// BenchmarkLarge reads an answer of 4 MiB, most of it by a stream of its own.
func BenchmarkLarge(b *testing.B) {
	content := make([]byte, 4<<20)
	cl, _ := overSocket(b, lift.CallerFunc(func(*lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 200, Body: lift.BytesBody(content)}, nil
	}), sidecar.Config{}, session.Options{})
	b.SetBytes(int64(len(content)))
	at(b, 1, func() error {
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		return err
	})
}

func at(b *testing.B, callers int, call func() error) {
	b.Helper()
	if err := call(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan struct{})
	n := b.N
	for i := range callers {
		share := n / callers
		if i < n%callers {
			share++
		}
		go func() {
			defer func() { done <- struct{}{} }()
			for range share {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	for range callers {
		<-done
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
}

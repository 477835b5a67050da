// Command instance is one instance of the demo's services, "orders" over HTTP and
// "stock" over gRPC. It answers with its name, fails on demand, and closes idle
// connections on demand.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	id := flag.String("id", "A", "what the instance calls itself")
	listen := flag.String("listen", "127.0.0.1:0", "where it serves")
	rpc := flag.String("grpc", "", "where it serves gRPC")
	admin := flag.String("admin", "", "where it is told how to behave")
	flag.Parse()
	if err := run(*id, *listen, *rpc, *admin); err != nil {
		log.Fatalf("instance %s: %v", *id, err)
	}
}

func run(id, listen, rpc, admin string) error {
	var status atomic.Int64
	status.Store(http.StatusOK)
	var idle idleConns
	service := &http.Server{
		ReadHeaderTimeout: time.Minute,
		ConnState:         idle.note,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(int(status.Load()))
			fmt.Fprintf(w, "{\"instance\":%q}\n", id)
		}),
	}
	stock := &stock{id: id, status: &status}
	control := http.NewServeMux()
	control.HandleFunc("POST /status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil || code < 200 || code > 599 {
			http.Error(w, "want a status code from 200 to 599", http.StatusBadRequest)
			return
		}
		status.Store(int64(code))
	})
	control.HandleFunc("POST /close-idle", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, idle.close()+stock.close())
	})
	failed := make(chan error, 3)
	if admin != "" {
		l, err := net.Listen("tcp", admin)
		if err != nil {
			return err
		}
		go func() {
			failed <- (&http.Server{Handler: control, ReadHeaderTimeout: time.Minute}).Serve(l)
		}()
	}
	if rpc != "" {
		l, err := net.Listen("tcp", rpc)
		if err != nil {
			return err
		}
		go func() { failed <- stock.serve(l) }()
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	go func() { failed <- service.Serve(l) }()
	return <-failed
}

// idleConns holds the connections that wait for a request.
type idleConns struct {
	mu   sync.Mutex
	idle map[net.Conn]bool
}

func (i *idleConns) note(c net.Conn, s http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.idle == nil {
		i.idle = make(map[net.Conn]bool)
	}
	if s == http.StateIdle {
		i.idle[c] = true
		return
	}
	delete(i.idle, c)
}

func (i *idleConns) close() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.idle)
	for c := range i.idle {
		_ = c.Close()
		delete(i.idle, c)
	}
	return n
}

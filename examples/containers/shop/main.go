// Command shop is an application in a container beside Lift. It answers GET /orders/17
// by calling the service orders by its name, and notes what it has shown. When it must
// end, it reports its notes with one call each, as applications do that flush. These
// last calls go through Lift too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/liftmesh/lift/sdk"
)

type order struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// notes are the orders that were shown and not reported yet.
type notes struct {
	mu  sync.Mutex
	ids []string
}

func (n *notes) add(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ids = append(n.ids, id)
}

func main() {
	client, err := sdk.Dial("") // $LIFT_SOCKET
	if err != nil {
		log.Fatal(err)
	}
	shown := &notes{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		o, err := sdk.Get[order](r.Context(), client, "orders", "/orders/"+id)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		shown.add(id)
		_ = json.NewEncoder(w).Encode(o) // a client that has gone does not read it
	})
	listen := os.Getenv("LISTEN")
	if listen == "" {
		listen = ":8080"
	}
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-told.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // requests that do not end in time are cut below
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	failed := report(client, shown)
	_ = client.Close()
	if failed > 0 {
		os.Exit(1)
	}
}

// report sends each note to orders.
func report(client *sdk.Client, shown *notes) (failed int) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	shown.mu.Lock()
	defer shown.mu.Unlock()
	for _, id := range shown.ids {
		if _, err := sdk.Post[struct{}](ctx, client, "orders", "/shown", order{ID: id}); err != nil {
			log.Print(err)
			failed++
		}
	}
	fmt.Printf("reported %d, failed %d\n", len(shown.ids)-failed, failed)
	return failed
}

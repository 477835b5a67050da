// Command sdk calls a service by name through the sidecar on $LIFT_SOCKET: typed
// JSON, an http.Client, and a POST that may be retried. It prints how each call ended.
//
//	go run ./examples/standalone
//
// starts the service, the sidecar and this program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

func main() {
	client, err := sdk.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	// Typed JSON, with the answer's head and the record of what was tried.
	var rec sdk.Record
	var head sdk.Response
	answer, err := sdk.Get[json.RawMessage](ctx, client, "orders", "/orders/17", sdk.RecordIn(&rec), sdk.ResponseIn(&head))
	report("typed", string(answer), err)
	if err == nil {
		fmt.Printf("  status %d, %s\n", head.Status, head.Header.Get("Content-Type"))
	}
	for _, a := range rec.Attempts() {
		fmt.Printf("  tried %s: %s (%s)\n", a.Endpoint.Addr, a.Outcome, a.Why)
	}

	// An http.Client that knows services by name.
	resp, err := client.HTTPClient().Get("http://orders/orders/17") //nolint:noctx // the shortest way in
	if err == nil {
		body, readErr := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		report("http", string(body), readErr)
	} else {
		report("http", "", err)
	}

	// A POST that may be sent twice: the caller says that it does no harm.
	_, err = sdk.Post[json.RawMessage](ctx, client, "orders", "/orders", map[string]int{"n": 1}, sdk.Idempotent())
	report("post", "", err)
}

func report(what, answer string, err error) {
	var failed *lift.Error
	var status *sdk.StatusError
	switch {
	case err == nil:
		fmt.Printf("%s: %s\n", what, answer)
	case errors.As(err, &status) && status.Status == http.StatusNotFound:
		fmt.Printf("%s: there is no such order\n", what)
	case errors.As(err, &failed):
		fmt.Printf("%s: %s; may have acted: %v\n", what, failed.Code, failed.Reached != lift.NotReached)
	default:
		fmt.Printf("%s: %v\n", what, err)
	}
}

package extension_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/liftmesh/lift/extension"
)

// An extension's whole life: register, events, the end.
func Example() {
	events := []string{`{"eventType":"INVOKE","requestId":"1"}`, `{"eventType":"SHUTDOWN","shutdownReason":"Timeout"}`}
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // stands for Lambda
		if strings.HasSuffix(r.URL.Path, "/register") {
			w.Header().Set("Lambda-Extension-Identifier", "8a5b3c1e-0000-4000-8000-000000000000")
			_, _ = fmt.Fprint(w, `{"functionName":"checkout"}`)
			return
		}
		_, _ = fmt.Fprint(w, events[0])
		events = events[1:]
	}))
	defer lambda.Close()

	ctx := context.Background()
	client := extension.New(extension.Config{API: lambda.Listener.Addr().String(), Name: "lift"})
	defer client.Close()
	reg, err := client.Register(ctx)
	if err != nil {
		fmt.Println(err) // and exit: Lambda starts another
		return
	}
	fmt.Println("beside", reg.Function)
	for event, err := range client.Events(ctx) {
		switch {
		case err != nil:
			fmt.Println(err) // and go on: only Lambda ends an extension
		case event.Type == extension.Invoke:
			fmt.Println("invocation", event.RequestID)
		case event.Type == extension.Shutdown:
			fmt.Println("shutdown:", event.Reason)
		}
	}
	// Output:
	// beside checkout
	// invocation 1
	// shutdown: timeout
}

func ExampleFromEnv() {
	env, ok := extension.FromEnv(func(name string) string {
		return map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LAMBDA_FUNCTION_NAME": "checkout"}[name]
	})
	fmt.Println(ok, env.API, env.Function, env.Managed())
	// Output: true 127.0.0.1:9001 checkout false
}

package emulator_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/liftmesh/lift/emulator"
)

// A function in a few lines of shell, invoked, frozen for an hour and invoked
// again.
func Example() {
	folder, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	bootstrap := filepath.Join(folder, "bootstrap")
	if err := os.WriteFile(bootstrap, []byte(`#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while id=$(curl -s -o event.json -D - $api/next | sed -n 's/\r//; s/^Lambda-Runtime-Aws-Request-Id: //p'); do
	curl -s -o reply.json $api/$id/response -d "\"you sent $(cat event.json)\""
done
`), 0o755); err != nil {
		panic(err)
	}

	e, err := emulator.Start(context.Background(), emulator.Config{Function: bootstrap})
	if err != nil {
		panic(err)
	}
	defer e.Shutdown(context.Background(), emulator.Spindown)

	result, err := e.Invoke(context.Background(), []byte(`7`))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", result.Payload)

	if err := e.Freeze(); err != nil {
		panic(err)
	}
	fmt.Println(e.State())
	result, err = e.Invoke(context.Background(), []byte(`8`), emulator.WithGap(emulator.Gap{Length: time.Hour}))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", result.Payload)
	// Output:
	// "you sent 7"
	// frozen
	// "you sent 8"
}

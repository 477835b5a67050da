// Command layer is a Lambda function that calls the service "orders" by name
// through the Lift layer.
//
//	make layer
//	aws lambda publish-layer-version --layer-name lift --zip-file fileb://dist/lift-layer-amd64.zip
//	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -o bootstrap ./examples/layer
//	zip function.zip bootstrap && (cd examples/layer && zip ../../function.zip lift.yaml)
//	aws lambda update-function-configuration --function-name orders-page --layers <the layer version's ARN>
//	aws lambda update-function-code --function-name orders-page --zip-file fileb://function.zip
package main

import (
	"context"
	"errors"
	"log"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
	liftlambda "github.com/liftmesh/lift/sdk/lambda"
)

type request struct {
	ID string `json:"id"`
}

type order struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

func main() {
	client, err := sdk.Dial("") // $LIFT_SOCKET, else /tmp/lift/lift.sock
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(liftlambda.Wrap(client, func(ctx context.Context, in request) (order, error) {
		got, err := sdk.Get[order](ctx, client, "orders", "/orders/"+in.ID)
		if errors.Is(err, lift.AllOpen) {
			return order{ID: in.ID, State: "unknown"}, nil // no healthy instance now: answer without it
		}
		return got, err
	}))
}

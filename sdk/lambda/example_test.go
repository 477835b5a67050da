package liftlambda_test

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/liftmesh/lift/sdk"
	liftlambda "github.com/liftmesh/lift/sdk/lambda"
)

func ExampleWrap() {
	client, err := sdk.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	handler := func(ctx context.Context, event struct{ OrderID string }) (string, error) {
		// The call ends by the invocation's deadline and carries its trace.
		return sdk.Get[string](ctx, client, "orders", "/v1/orders/"+event.OrderID+"/state")
	}
	lambda.Start(liftlambda.Wrap(client, handler))
}

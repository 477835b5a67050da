package cloudmap_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/liftmesh/lift/registry/cloudmap"
)

func ExampleNew() {
	r := cloudmap.New(cloudmap.Config{
		Endpoint: "https://data-servicediscovery.eu-west-1.amazonaws.com", Namespace: "shop", // with a Signer, in earnest
		Do: func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(
				`{"Instances":[{"InstanceId":"a","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1","AWS_INSTANCE_PORT":"8080"}}],"InstancesRevision":1}`))}, nil
		},
	})
	for set, err := range r.Watch(context.Background(), "orders") {
		fmt.Println(set[0].ID, set[0].Addr, err)
		break
	}
	// Output: a 10.0.0.1:8080 <nil>
}

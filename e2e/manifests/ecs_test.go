package manifests

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// notebook keeps what would have gone to AWS.
type notebook struct{ sent []byte }

func (n *notebook) Do(r *http.Request) (*http.Response, error) {
	n.sent, _ = io.ReadAll(r.Body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// The task definition is RegisterTaskDefinition's request to the letter: AWS's own
// client reads it, finds nothing required missing, and writes the same.
func TestECS(t *testing.T) {
	text, err := os.ReadFile(folder + "ecs-task-definition.json")
	if err != nil {
		t.Fatal(err)
	}
	var in ecs.RegisterTaskDefinitionInput
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		t.Fatal(err)
	}
	wire := &notebook{}
	client := ecs.New(ecs.Options{
		Region: "eu-west-1", HTTPClient: wire, BaseEndpoint: aws.String("http://127.0.0.1:1"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "none", SecretAccessKey: "none"}, nil
		}),
	})
	if _, err := client.RegisterTaskDefinition(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	var ours, theirs any
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(wire.sent, &theirs); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("AWS's client would send\n%s", wire.sent)
	}

	known := func(what, value string, all []string) {
		t.Helper()
		if !slices.Contains(all, value) {
			t.Errorf("%s: %q is none of %q", what, value, all)
		}
	}
	for _, c := range in.RequiresCompatibilities {
		known("requiresCompatibilities", string(c), texts(c.Values()))
	}
	known("networkMode", string(in.NetworkMode), texts(in.NetworkMode.Values()))
	lift, shop := in.ContainerDefinitions[0], in.ContainerDefinitions[1]
	for _, d := range shop.DependsOn {
		known("dependsOn", string(d.Condition), texts(d.Condition.Values()))
	}
	if aws.ToString(shop.DependsOn[0].ContainerName) != "lift" || shop.DependsOn[0].Condition != types.ContainerConditionHealthy {
		t.Error("the shop does not wait for Lift")
	}
	if got := strings.Join(lift.HealthCheck.Command, " "); got != "CMD /lift-extension health" {
		t.Errorf("health is asked for by %q", got)
	}
	for _, c := range in.ContainerDefinitions {
		m := c.MountPoints[0]
		if aws.ToString(m.SourceVolume) != aws.ToString(in.Volumes[0].Name) || aws.ToString(m.ContainerPath) != socketFolder {
			t.Errorf("%s does not mount the socket's volume", aws.ToString(c.Name))
		}
		known("logDriver", string(c.LogConfiguration.LogDriver), texts(c.LogConfiguration.LogDriver.Values()))
	}
	if v := shop.Environment[0]; aws.ToString(v.Name) != "LIFT_SOCKET" || aws.ToString(v.Value) != socket {
		t.Error("the shop does not know the socket")
	}
}

func texts[T ~string](values []T) (all []string) {
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}

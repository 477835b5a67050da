package manifests

import (
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const folder = "../../examples/containers/"

// The paths at which the containers meet.
const (
	socketFolder = "/run/lift"
	socket       = "/run/lift/lift.sock"
	configFolder = "/etc/lift"
)

// compose.yaml is what the Compose specification's schema allows, and its
// containers meet.
func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{folder + "compose.yaml"}, cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lift, shop := project.Services["lift"], project.Services["shop"]
	volume := func(s types.ServiceConfig, target string) string {
		for _, v := range s.Volumes {
			if v.Target == target {
				return v.Source
			}
		}
		return "none"
	}
	if a, b := volume(lift, socketFolder), volume(shop, socketFolder); a != b || project.Volumes[a].Name == "" {
		t.Errorf("the socket's volume is %q here, %q there", a, b)
	}
	if volume(lift, configFolder) == "none" {
		t.Error("there is no configuration")
	}
	if !slices.Equal(lift.HealthCheck.Test, []string{"CMD", "/lift-extension", "health"}) {
		t.Errorf("health is asked for by %q", lift.HealthCheck.Test)
	}
	if shop.DependsOn["lift"].Condition != types.ServiceConditionHealthy {
		t.Error("the shop does not wait for Lift")
	}
	if at := shop.Environment["LIFT_SOCKET"]; at == nil || *at != socket {
		t.Error("the shop does not know the socket")
	}
	for name, s := range project.Services {
		if s.Build == nil || s.Build.Target != name {
			t.Errorf("%s is built from another target", name)
		}
	}
}

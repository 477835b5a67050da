package manifests

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// The Dockerfile is one, without what its linter warns of; its images hold what
// the manifests run, where they look for it.
func TestDockerfile(t *testing.T) {
	f, err := os.Open(folder + "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, message string, _ []parser.Range) {
		t.Errorf("%s: %s (%s)", rule, message, description)
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	holds := map[string]string{}
	for _, s := range stages {
		for _, c := range s.Commands {
			holds[s.Name] += "\n" + strings.TrimSpace(strings.Join(words(c), " "))
		}
	}
	for stage, wants := range map[string][]string{
		"lift": {"/lift-extension", "ENTRYPOINT [\"/lift-extension\"]", "CMD [\"/lift-extension\", \"health\"]", "/etc/lift/lift.yaml", "VOLUME " + socketFolder, "USER 65532:65532"},
		"shop": {"ENTRYPOINT [\"/shop\"]", "LIFT_SOCKET=" + socket, "VOLUME " + socketFolder, "USER 65532:65532"},
	} {
		for _, want := range wants {
			if !strings.Contains(holds[stage], want) {
				t.Errorf("%s: no %s in%s", stage, want, holds[stage])
			}
		}
	}
	if !slices.ContainsFunc(stages, func(s instructions.Stage) bool { return s.Name == "orders" }) {
		t.Error("there is no stage orders")
	}
}

// words is a command as it was written.
func words(c instructions.Command) []string {
	if s, ok := c.(interface{ String() string }); ok {
		return []string{s.String()}
	}
	return []string{c.Name()}
}

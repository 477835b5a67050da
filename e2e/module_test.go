//go:build e2e && linux

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// published is the version under which the tree is published for these tests.
const published = "v0.9.0"

const liftModule = "github.com/liftmesh/lift"

// The module asks for the lowest Go that its dependencies allow: a user need not
// have a newer one.
func TestModuleAsksForTheLowestGo(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	lowest, asks := "v1.0.0", ""
	for line := range strings.Lines(goTool(t, "..", nil, "list", "-m", "-f", "{{if not .Main}}{{.GoVersion}} {{.Path}}{{end}}", "all")) {
		version, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && semver.Compare("v"+version, lowest) > 0 { // "" is a module of which no package is used
			lowest, asks = "v"+version, path
		}
	}
	if got := "v" + mod.Go.Version; semver.Compare(got, lowest) != 0 {
		t.Errorf("go.mod asks for go %s, and its dependencies for %s (%s)", mod.Go.Version, lowest, asks)
	}
	if mod.Toolchain != nil || len(mod.Replace)+len(mod.Exclude) > 0 {
		t.Error("go.mod has toolchain, replace or exclude lines, which hold for us and not for who uses the module")
	}
}

// A user's own module builds the programs: as a tool of it, without more ado where
// go.mod may be changed, from a checkout, and by go install.
func TestUsersModuleBuildsThePrograms(t *testing.T) { // not in parallel: it compiles, and others count milliseconds
	dir := t.TempDir()
	env := publish(t, dir)
	user := func(t *testing.T, more string) string {
		t.Helper()
		app := t.TempDir()
		write(t, filepath.Join(app, "go.mod"), "module example.com/app\n\ngo 1.26.0\n"+more)
		write(t, filepath.Join(app, "main.go"), "package main\n\nimport \"github.com/liftmesh/lift/sdk\"\n\nfunc main() { _, _ = sdk.Dial(\"\") }\n")
		return app
	}
	says := func(t *testing.T, program, version string) {
		t.Helper()
		out, err := exec.Command(program, "version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), version) {
			t.Errorf("%s version: %v\n%s", program, err, out)
		}
	}

	t.Run("as a tool", func(t *testing.T) {
		app := user(t, "")
		goTool(t, app, env, "get", liftModule+"/sdk@"+published)
		goTool(t, app, env, "build", "-o", "app", ".")
		sums, err := os.ReadFile(filepath.Join(app, "go.sum"))
		if err != nil || strings.Contains(string(sums), "github.com/hashicorp/consul/api") {
			t.Errorf("who uses the SDK alone needs Consul's client: %v", err)
		}
		goTool(t, app, env, "get", "-tool", liftModule+"/cmd/lift-extension@"+published)
		goTool(t, app, env, "build", "-o", "lift-extension", liftModule+"/cmd/lift-extension")
		says(t, filepath.Join(app, "lift-extension"), published)
		if out := goTool(t, app, env, "tool", "lift-extension", "version"); !strings.Contains(out, published) {
			t.Errorf("go tool lift-extension version: %s", out)
		}
		goTool(t, app, env, "build", "-o", "app", ".")
	})
	t.Run("with -mod=mod", func(t *testing.T) {
		app := user(t, "\nrequire "+liftModule+" "+published+"\n")
		goTool(t, app, append(env, "GOFLAGS=-mod=mod -trimpath -modcacherw"), "build", "-o", "lift-extension", liftModule+"/cmd/lift-extension")
		says(t, filepath.Join(app, "lift-extension"), published)
	})
	t.Run("from a checkout", func(t *testing.T) {
		tree, err := filepath.Abs("..")
		if err != nil {
			t.Fatal(err)
		}
		app := user(t, "\nrequire "+liftModule+" v0.0.0\n\nreplace "+liftModule+" => "+tree+"\n")
		goTool(t, app, append(env, "GOFLAGS=-mod=mod -trimpath -modcacherw"), "build", "-o", "lift-extension", liftModule+"/cmd/lift-extension")
		says(t, filepath.Join(app, "lift-extension"), "")
		goTool(t, app, env, "build", "-o", "again", liftModule+"/cmd/lift-extension") // the sums are there now
	})
	t.Run("go install", func(t *testing.T) {
		goTool(t, dir, append(env, "GOBIN="+dir), "install", liftModule+"/cmd/lift-extension@"+published, liftModule+"/cmd/lift@"+published)
		says(t, filepath.Join(dir, "lift-extension"), published)
		says(t, filepath.Join(dir, "lift"), published)
	})
}

// publish makes dir a module proxy that has the tree as a version of its module, and
// returns the environment in which the go command finds that and what this machine
// has of other modules, and asks nobody else.
func publish(t *testing.T, dir string) (env []string) {
	t.Helper()
	versions := filepath.Join(dir, "proxy", liftModule, "@v")
	if err := os.MkdirAll(versions, 0o750); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(versions, "list"), published+"\n")
	write(t, filepath.Join(versions, published+".info"), `{"Version":"`+published+`"}`)
	write(t, filepath.Join(versions, published+".mod"), string(text))
	archive, err := os.Create(filepath.Join(versions, published+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	err = zip.CreateFromDir(archive, module.Version{Path: liftModule, Version: published}, "..")
	if closed := archive.Close(); err != nil || closed != nil {
		t.Fatal(err, closed)
	}
	cache := strings.TrimSpace(goTool(t, "..", nil, "env", "GOMODCACHE"))
	return []string{
		"GOPROXY=file://" + filepath.Join(dir, "proxy") + ",file://" + filepath.Join(cache, "cache", "download"),
		"GOMODCACHE=" + filepath.Join(dir, "mod"), "GOSUMDB=off", "GONOPROXY=none", "GOPRIVATE=", "GOTOOLCHAIN=local", "GOWORK=off",
		"CGO_ENABLED=0", "GOFLAGS=-trimpath -modcacherw", // so that what was built before is found again, and can be removed
	}
}

// goTool runs the go command in dir and returns what it writes.
func goTool(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, trouble strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, &out, &trouble)
	}
	return out.String()
}

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/liftmesh/lift/config"
)

// What a look at the file makes of what happened to it.
func TestFollower(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lift.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("services: {}\n")
	sum, err := config.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{path: path, holds: sum}
	looks := func(what string, want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := f.look(); got != w {
				t.Errorf("%s, look %d: %v", what, i+1, got)
			}
		}
	}
	looks("nothing happens", false, false, false)
	write("services: {} # again\n")
	looks("it changes", false, true, false, false)
	write("serv")
	looks("it is half written", false)
	write("services: {} # whole\n")
	looks("and then whole", false, true, false)
	write("services: {}\n")
	f.asked()
	looks("somebody asked", false, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	looks("it is removed", false, true, false)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	looks("a folder stands there", false, true, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// As a Kubernetes ConfigMap: a link to a link, which is swapped; the content is
	// equally long.
	for i, text := range []string{"services: {} # 1\n", "services: {} # 2\n"} {
		version := filepath.Join(dir, string(rune('a'+i)))
		if err := os.Mkdir(version, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(version, "lift.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(version, filepath.Join(dir, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.Symlink("..data/lift.yaml", path); err != nil {
				t.Fatal(err)
			}
		}
		looks("the link is swapped", false, true, false)
	}
}

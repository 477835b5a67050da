package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func noEnv(string) string { return "" }

func TestTwiceGivesIdenticalBytes(t *testing.T) {
	var zips [2]map[string][]byte
	var said [2]string
	for i := range zips {
		dir := t.TempDir()
		t.Setenv("TZ", []string{"UTC", "Asia/Tokyo"}[i])
		t.Setenv("GOAMD64", []string{"v1", "v3"}[i])
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), []string{"-o", filepath.Join(dir, "new"), "-pkg", "./testdata/tiny"}, noEnv, &stdout, &stderr); err != nil {
			t.Fatalf("%v\n%s", err, &stderr)
		}
		said[i] = strings.ReplaceAll(stdout.String(), dir, "")
		zips[i] = map[string][]byte{}
		entries, err := os.ReadDir(filepath.Join(dir, "new"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, "new", e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			zips[i][e.Name()] = b
		}
	}
	if len(zips[0]) != 2 || zips[0]["lift-layer-amd64.zip"] == nil || zips[0]["lift-layer-arm64.zip"] == nil {
		t.Fatalf("the folder holds %d files", len(zips[0]))
	}
	for name, b := range zips[0] {
		if !bytes.Equal(b, zips[1][name]) {
			t.Errorf("%s differs from one build to the next", name)
		}
	}
	if said[0] != said[1] || strings.Count(said[0], "sha256:") != 2 || strings.Count(said[0], "MB unpacked") != 2 {
		t.Errorf("said %q and %q", said[0], said[1])
	}
}

func TestBadInput(t *testing.T) {
	for _, tt := range []struct {
		name, epoch, says string
		args              []string
	}{
		{"epoch", "yesterday", `SOURCE_DATE_EPOCH="yesterday"`, nil},
		{"package", "", "compile ./testdata/nobody for linux/amd64", []string{"-pkg", "./testdata/nobody"}},
		{"architecture", "", "mips", []string{"-pkg", "./testdata/tiny", "-arch", "mips-none"}},
		{"flag", "", "not defined", []string{"-x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			err := run(t.Context(), append([]string{"-o", out}, tt.args...), func(string) string { return tt.epoch }, t.Output(), t.Output())
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v, want one that says %q", err, tt.says)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("something was written")
			}
		})
	}
}

func TestReplaceLeavesNothingBeside(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []string{"one", "two"} {
		if err := replace(filepath.Join(dir, "f"), []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	entries, _ := os.ReadDir(dir)
	b, _ := os.ReadFile(filepath.Join(dir, "f"))
	if len(entries) != 1 || string(b) != "two" {
		t.Errorf("%d files, f is %q", len(entries), b)
	}
}

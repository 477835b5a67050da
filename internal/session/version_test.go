package session

import (
	"runtime/debug"
	"testing"
)

func TestVersionIn(t *testing.T) {
	lift := func(version string) debug.Module { return debug.Module{Path: module, Version: version} }
	dep, main := lift("v0.3.1"), lift("(devel)")
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"a program that depends on Lift", &debug.BuildInfo{Main: debug.Module{Path: "example.com/shop", Version: "v9.9.9"}, Deps: []*debug.Module{{Path: "example.com/a", Version: "v1.0.0"}, &dep}}, "v0.3.1"},
		{"in place of another", &debug.BuildInfo{Deps: []*debug.Module{{Path: module, Version: "v0.3.1", Replace: &debug.Module{Path: "example.com/fork", Version: "v0.3.2"}}}}, "v0.3.2"},
		{"in place of another, from a folder", &debug.BuildInfo{Deps: []*debug.Module{{Path: module, Version: "v0.3.1", Replace: &debug.Module{Path: "../lift"}}}}, "devel"},
		{"Lift itself", &debug.BuildInfo{Main: main}, "devel"},
		{"neither", &debug.BuildInfo{}, "devel"},
		{"a build that says nothing", nil, "devel"},
	} {
		if got := versionIn(tt.info); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

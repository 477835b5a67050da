package session

import (
	"cmp"
	"runtime/debug"
	"sync"
)

const module = "github.com/liftmesh/lift"

// builtWith returns the version of Lift in this program, "devel" if the build does
// not say. It is read once: the build's list of modules is parsed anew each time.
var builtWith = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return versionIn(info)
})

func versionIn(info *debug.BuildInfo) string {
	if info == nil {
		return "devel"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path != module {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "(devel)" {
			return cmp.Or(m.Version, "devel")
		}
	}
	return "devel"
}

package wire

import (
	"fmt"

	"github.com/liftmesh/lift"
)

// minor is the newest minor version of lift.v1 that this code speaks. It goes up
// by one with each change that a peer must know of before it is used; what a
// peer may ignore needs none.
const minor = 0

// Versions is a range of minor versions of lift.v1.
type Versions struct{ Min, Max uint32 }

// Current is what this code speaks: its own version and the one before.
func Current() Versions {
	newest := uint32(minor)
	return Versions{Min: max(newest, 1) - 1, Max: newest}
}

// String is the range as people read it.
func (v Versions) String() string {
	if v.Min == v.Max {
		return fmt.Sprintf("1.%d", v.Max)
	}
	return fmt.Sprintf("1.%d to 1.%d", v.Min, v.Max)
}

// Agree returns the newest version that both know, and whether there is one.
func Agree(a, b Versions) (version uint32, ok bool) {
	version = min(a.Max, b.Max)
	return version, version >= a.Min && version >= b.Min
}

// Incompatible is the error of an SDK and a sidecar that share no version.
func Incompatible(sdk, sidecar Versions, sdkName, sidecarName string) *lift.Error {
	older := "the sidecar (the layer)"
	if sdk.Max < sidecar.Max {
		older = "the SDK"
	}
	return &lift.Error{Code: lift.Incompatible, Err: fmt.Errorf(
		"the SDK (%s) speaks lift.v1 %s, the sidecar (%s) %s, and they share no version; update %s to a release at most one minor version from the other",
		sdkName, sdk, sidecarName, sidecar, older)}
}

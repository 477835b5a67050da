package registrytest_test

import (
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/registrytest"
)

func TestFakeKeepsTheContract(t *testing.T) {
	registrytest.Run(t, func(_ *testing.T, first []lift.Endpoint) registrytest.Subject {
		f := registrytest.NewFake(first...)
		return registrytest.Subject{
			Registry: f,
			Update:   func(set []lift.Endpoint) { f.Set(set...) },
			Fail:     f.Fail,
		}
	})
}

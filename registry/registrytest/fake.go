package registrytest

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/liftmesh/lift"
)

// Fake is a registry whose set a test moves. Its zero value tells nothing until
// the first [Fake.Set]. Safe for concurrent use.
type Fake struct {
	mu      sync.Mutex
	set     []lift.Endpoint // nil: not told yet
	err     error
	version int
	changed chan struct{}
}

// NewFake returns a fake that tells of endpoints.
func NewFake(endpoints ...lift.Endpoint) *Fake {
	f := &Fake{}
	f.Set(endpoints...)
	return f
}

// Set changes what is told.
func (f *Fake) Set(endpoints ...lift.Endpoint) {
	f.change(func() { f.set, f.err = append([]lift.Endpoint{}, endpoints...), nil })
}

// Fail makes every watch yield err once; the set stays as it was.
func (f *Fake) Fail(err error) { f.change(func() { f.err = err }) }

func (f *Fake) change(move func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	move()
	f.version++
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// look returns what is told now, its version, and a channel that closes when it changes.
func (f *Fake) look() (set []lift.Endpoint, version int, changed <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	if f.err != nil {
		return nil, f.version, f.changed, f.err
	}
	return slices.Clone(f.set), f.version, f.changed, nil
}

// Watch implements registry.Registry.
func (f *Fake) Watch(ctx context.Context, _ string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		seen := 0
		for {
			set, version, changed, err := f.look()
			if version > seen {
				seen = version
				if (set != nil || err != nil) && !yield(set, err) {
					return
				}
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

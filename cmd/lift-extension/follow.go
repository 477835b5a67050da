package main

import "github.com/liftmesh/lift/config"

// follower notices changes of a file by its content. Times and inodes miss some: a
// Kubernetes ConfigMap changes by a link to a link, and two writes can have the same
// time. The cost is one read of a small file every recheckEvery.
type follower struct {
	path  string
	holds string // the content that was last applied or refused
	last  string // the content at the last look
}

// look reports whether to reload: the content differs from holds, and was the same at
// the look before, so that a file that is being written is left alone.
func (f *follower) look() bool {
	sum := f.sum()
	settled := sum == f.last
	f.last = sum
	if sum == f.holds || !settled {
		return false
	}
	f.holds = sum
	return true
}

// asked marks the content as seen, because a signal asked for it to be read now.
func (f *follower) asked() {
	f.holds = f.sum()
	f.last = f.holds
}

// sum returns a hash of the content, or why it cannot be read.
func (f *follower) sum() string {
	sum, err := config.Sum(f.path)
	if err != nil {
		return err.Error()
	}
	return sum
}

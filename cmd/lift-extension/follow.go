package main

import "github.com/liftmesh/lift/config"

// follower watches a file by its content. Times and inodes say too little: a
// Kubernetes ConfigMap changes by a link to a link, and two writes can bear one
// time. It is one read of a small file every recheckEvery.
type follower struct {
	path  string
	holds string // what the content was when it was last taken up or refused
	last  string // at the last look
}

// look reports whether there is a content to take up: another than holds, that
// was the same at the look before, so that a file that is half written is not
// read.
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

// asked takes the content as it is now for seen: somebody says that it is whole.
func (f *follower) asked() {
	f.holds = f.sum()
	f.last = f.holds
}

// sum is the content, or why there is none.
func (f *follower) sum() string {
	sum, err := config.Sum(f.path)
	if err != nil {
		return err.Error()
	}
	return sum
}

package sidecar

import "sync/atomic"

// budget is a number that many share and that must not be exceeded. Safe for
// concurrent use.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take takes n and reports whether there was so much.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

// give gives n back.
func (b *budget) give(n int) { b.used.Add(int64(-n)) }

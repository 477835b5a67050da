package mesh

import (
	"sync"
	"sync/atomic"
	"testing"
)

// What is leased ends once, after its users, however they and the end cross.
func TestLease(t *testing.T) {
	for range 500 {
		var ended, using atomic.Int64
		l := &lease{}
		l.end = func() {
			ended.Add(1)
			if using.Load() > 0 {
				t.Error("it ended under a user")
			}
		}
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				for range 10 {
					if !l.take() {
						return
					}
					using.Add(1)
					if ended.Load() > 0 {
						t.Error("it was given out after its end")
					}
					using.Add(-1)
					l.give()
				}
			})
		}
		work.Go(l.retire)
		work.Wait()
		l.retire()
		if l.take() || ended.Load() != 1 {
			t.Fatalf("it ended %d times", ended.Load())
		}
	}
}

// Two for each call and two for each attempt.
func BenchmarkLease(b *testing.B) {
	b.ReportAllocs()
	l := &lease{end: func() {}}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if l.take() {
				l.give()
			}
		}
	})
}

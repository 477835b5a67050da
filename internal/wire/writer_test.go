package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// note is an owner that writes down what it hears.
type note struct {
	gone *[]string
	drop bool
}

func (n note) Leaves(*string) bool { return !n.drop }
func (n note) Gone(f *string)      { *n.gone = append(*n.gone, *f) }

func TestWriterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent [][]string
		hold := make(chan struct{})
		w := NewWriter(func(fs []*string) error {
			<-hold
			var batch []string
			for _, f := range fs {
				batch = append(batch, *f)
			}
			sent = append(sent, batch)
			return nil
		})
		done := make(chan error, 1)
		go func() { done <- w.Run() }()
		put := func(q func(*string, int, Owner[string]) bool, size int, owner Owner[string], names ...string) {
			for _, n := range names {
				if !q(&n, size, owner) {
					t.Errorf("%s was not taken", n)
				}
			}
		}
		var gone []string
		put(w.Control, 1, nil, "first")
		synctest.Wait() // it is being sent
		put(w.Data, 16<<10, note{gone: &gone}, "d1", "d2", "d3", "d4", "d5")
		put(w.Data, 1, note{gone: &gone, drop: true}, "dropped")
		put(w.Control, 1, nil, "c1", "c2")
		for range 3 {
			hold <- struct{}{}
		}
		synctest.Wait()
		w.Flush()
		if err := <-done; !errors.Is(err, ErrWriterClosed) {
			t.Error(err)
		}
		want := "[[first] [c1 c2 d1 d2 d3 d4] [d5]]"
		if got := fmt.Sprint(sent); got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		if !slices.Equal(gone, []string{"d1", "d2", "d3", "d4", "d5", "dropped"}) {
			t.Errorf("gone: %v", gone)
		}
		if n := "late"; w.Control(&n, 1, nil) || w.Data(&n, 1, nil) {
			t.Error("frames were taken after the end")
		}
	})
}

// TestControlDoesNotStarveData: a batch full of control has room for one data frame.
func TestControlDoesNotStarveData(t *testing.T) {
	var got []string
	w := NewWriter(func(fs []*string) error {
		for _, f := range fs {
			got = append(got, *f)
		}
		return errors.New("enough")
	})
	for range 10 {
		c := "c"
		w.Control(&c, 16<<10, nil)
	}
	d := "d"
	w.Data(&d, 16<<10, nil)
	_ = w.Run()
	if strings.Join(got, "") != "ccccd" {
		t.Errorf("the first batch is %v", got)
	}
}

// TestWriterEndsOnce: after an error every frame is gone exactly once, and Room
// does not hold anybody.
func TestWriterEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		hold := make(chan struct{})
		w := NewWriter(func([]*string) error { <-hold; return boom })
		var gone []string
		name := "x"
		for range 5 {
			w.Control(&name, maxBatch, note{gone: &gone})
		}
		go w.Room(2)
		done := make(chan error, 1)
		go func() { done <- w.Run() }()
		synctest.Wait()
		close(hold)
		if err := <-done; !errors.Is(err, boom) {
			t.Error(err)
		}
		if len(gone) != 5 {
			t.Errorf("%d of 5 frames are gone", len(gone))
		}
	})
}

func TestQueueKeepsOrderAndGivesMemoryBack(t *testing.T) {
	var q queue[int]
	next, want := 0, 0
	for round := range 50 {
		for range 1000 {
			n := next
			q.push(item[int]{frame: &n})
			next++
		}
		for range 500 + 500*(round%2)*2 {
			if q.len() == 0 {
				break
			}
			if got := *q.pop().frame; got != want {
				t.Fatalf("%d came, want %d", got, want)
			}
			want++
		}
	}
	for q.len() > 0 {
		q.pop()
	}
	if cap(q.items) > 1024 {
		t.Errorf("an empty queue keeps room for %d", cap(q.items))
	}
}

package lift_test

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/liftmesh/lift"
)

type closer struct {
	io.Reader
	closed int
}

func (c *closer) Close() error {
	c.closed++
	return nil
}

func read(t *testing.T, b *lift.Body) string {
	t.Helper()
	r, err := b.Reader()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestBodyReplay(t *testing.T) {
	for _, tt := range []struct {
		keep       int
		replayable bool
	}{{5, true}, {64, true}, {4, false}, {0, false}} {
		src := &closer{Reader: iotest.OneByteReader(strings.NewReader("hello"))}
		b := lift.StreamBody(src, 5, tt.keep)
		if !b.Replayable() || b.Size() != 5 {
			t.Errorf("keep %d: an unread body cannot be read", tt.keep)
		}
		ended := 0
		b.OnEnd(func(err error) {
			if err != nil {
				t.Errorf("end: %v", err)
			}
			ended++
		})
		if got := read(t, b); got != "hello" {
			t.Errorf("keep %d: read %q", tt.keep, got)
		}
		if ended != 1 || src.closed != 1 {
			t.Errorf("ended %d times, closed %d times", ended, src.closed)
		}
		if b.Replayable() != tt.replayable {
			t.Errorf("keep %d: replayable %v", tt.keep, !tt.replayable)
		}
		if tt.replayable {
			if got := read(t, b); got != "hello" {
				t.Errorf("keep %d: replayed %q", tt.keep, got)
			}
		} else if _, err := b.Reader(); err == nil {
			t.Errorf("keep %d: a spilled body was given out again", tt.keep)
		}
	}
}

func TestBodyLaterReaderTakesOver(t *testing.T) {
	b := lift.StreamBody(io.NopCloser(iotest.OneByteReader(strings.NewReader("hello"))), -1, 64)
	first, err := b.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); got != "hello" {
		t.Errorf("second reader got %q", got)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, lift.ErrBodySuperseded) {
		t.Errorf("first reader: %v", err)
	}
}

// A caller that stalls while its body is read must not stall who asks whether
// the call can be sent again, nor lose what it sends later.
func TestBodyStalledReaderHoldsUpNobody(t *testing.T) {
	for _, keep := range []int{64, 2} {
		pr, pw := io.Pipe()
		b := lift.StreamBody(pr, -1, keep)
		stalled, err := b.Reader()
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		reading := make(chan struct{})
		wg.Go(func() {
			close(reading)
			_, _ = stalled.Read(make([]byte, 16))
		})
		<-reading
		if !b.Replayable() {
			t.Error("a body of which nothing was read cannot be replayed")
		}
		second, err := b.Reader()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			_, _ = io.WriteString(pw, "hello")
			_ = pw.Close()
		})
		got, err := io.ReadAll(second)
		switch {
		case err == nil && string(got) == "hello": // the stalled read was kept, or came too late
		case keep == 2 && err != nil && len(got) == 0: // it took the body past its buffer
		default:
			t.Errorf("keep %d: the later reader got %q, %v", keep, got, err)
		}
		_ = b.Close()
		wg.Wait()
	}
}

func TestBodyCloseWakesAndReportsOnce(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	b := lift.StreamBody(r, -1, 0)
	var ends []error
	b.OnEnd(func(err error) { ends = append(ends, err) })
	reader, err := b.Reader()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, lift.ErrBodyClosed) {
			t.Errorf("a blocked read ended with %v", err)
		}
	})
	_ = b.Close()
	_ = b.Close()
	wg.Wait()
	if len(ends) != 1 || !errors.Is(ends[0], lift.ErrBodyClosed) || b.Replayable() {
		t.Errorf("ends %v", ends)
	}
	b.OnEnd(func(err error) { ends = append(ends, err) })
	if len(ends) != 2 {
		t.Error("a hook on an ended body did not run")
	}
}

func TestBodyBreaks(t *testing.T) {
	broken := errors.New("broken")
	b := lift.StreamBody(io.NopCloser(io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken))), 5, 64)
	var end error
	b.OnEnd(func(err error) { end = err })
	if _, err := b.ReadAll(0); !errors.Is(err, broken) || !errors.Is(end, broken) {
		t.Errorf("read %v, end %v", err, end)
	}
}

func TestBodyReadAllLimit(t *testing.T) {
	for _, b := range []*lift.Body{lift.BytesBody([]byte("hello")), lift.StreamBody(io.NopCloser(strings.NewReader("hello")), -1, 0)} {
		if _, err := b.ReadAll(4); !errors.Is(err, lift.TooLarge) {
			t.Errorf("got %v", err)
		}
	}
	if got, err := lift.StreamBody(io.NopCloser(strings.NewReader("hello")), -1, 0).ReadAll(5); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNilAndWholeBody(t *testing.T) {
	var none *lift.Body
	if content, ok := none.Complete(); !ok || content != nil || none.Size() != 0 || !none.Replayable() || none.Close() != nil || read(t, none) != "" {
		t.Error("a nil body is empty")
	}
	ran := false
	none.OnEnd(func(err error) { ran = err == nil })
	whole := lift.BytesBody([]byte("hi"))
	if content, ok := whole.Complete(); !ran || !ok || string(content) != "hi" || read(t, whole) != "hi" || read(t, whole) != "hi" {
		t.Error("a whole body is here and can be read again")
	}
	whole.SetTrailer([]lift.Field{{Name: "a", Value: "1"}})
	if len(whole.Trailer()) != 1 || none.Trailer() != nil {
		t.Error("trailers")
	}
	if _, ok := lift.StreamBody(io.NopCloser(strings.NewReader("")), -1, 0).Complete(); ok {
		t.Error("a stream is not complete")
	}
}

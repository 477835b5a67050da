package wire

import (
	"errors"
	"sync"
)

// Owner hears what becomes of a frame. Its methods are called from the writer's
// goroutine and must not block.
type Owner[F any] interface {
	// Leaves is called right before f is sent. If it returns false the frame is
	// dropped: nobody wants it any more.
	Leaves(f *F) bool
	// Gone is called exactly once for every frame that was queued, after it was
	// sent or dropped; nothing refers to the frame's memory after that.
	Gone(f *F)
}

// ErrWriterClosed is what [Writer.Run] returns after [Writer.Close].
var ErrWriterClosed = errors.New("the writer is closed")

// Writer sends the frames of one side of a session from one goroutine. Control
// frames go before data; data frames go in the order of their coming, and since
// a call queues few at a time, calls take turns. Every batch takes some of both,
// so neither can starve the other.
//
// Queueing never blocks. Who queues bounds what it queues: data by [Window],
// control by the number of calls and [Writer.Room].
type Writer[F any] struct {
	send func([]*F) error

	mu            sync.Mutex
	change        sync.Cond // more to send, more room, or the end
	control, data queue[F]
	closed        bool
	flush         bool
}

type item[F any] struct {
	frame *F
	size  int
	owner Owner[F]
}

// NewWriter returns a writer that hands its batches to send. send may keep
// neither the slice nor the frames.
func NewWriter[F any](send func([]*F) error) *Writer[F] {
	w := &Writer[F]{send: send}
	w.change.L = &w.mu
	return w
}

// Control queues a frame that goes before data. size is about its length in
// bytes; owner may be nil. It returns false, and has not taken the frame, once
// the writer is closed.
func (w *Writer[F]) Control(f *F, size int, owner Owner[F]) bool {
	return w.put(&w.control, item[F]{f, size, owner})
}

// Data queues a frame behind all data that is queued. It is otherwise as
// [Writer.Control].
func (w *Writer[F]) Data(f *F, size int, owner Owner[F]) bool {
	return w.put(&w.data, item[F]{f, size, owner})
}

func (w *Writer[F]) put(q *queue[F], it item[F]) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.flush {
		return false
	}
	q.push(it)
	if w.control.len()+w.data.len() == 1 {
		w.change.Broadcast()
	}
	return true
}

// Room waits until fewer than limit control frames are queued, or the writer is
// closed. It is how a reader that answers what it reads keeps the queue bounded.
func (w *Writer[F]) Room(limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.control.len() >= limit && !w.closed {
		w.change.Wait()
	}
}

// Close makes Run return without sending what is queued.
func (w *Writer[F]) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.change.Broadcast()
}

// Flush makes Run return once what is queued has been sent. Nothing more is taken.
func (w *Writer[F]) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush = true
	w.change.Broadcast()
}

// Run sends until send fails or the writer is closed, and returns why. It is
// called once. Frames that are left over are dropped.
func (w *Writer[F]) Run() error {
	defer w.drop()
	var (
		batch  []item[F]
		frames []*F
	)
	for {
		var err error
		if batch, err = w.next(batch[:0]); err != nil {
			return err
		}
		frames = frames[:0]
		for i := range batch {
			if o := batch[i].owner; o == nil || o.Leaves(batch[i].frame) {
				frames = append(frames, batch[i].frame)
			}
		}
		if len(frames) > 0 {
			err = w.send(frames)
		}
		for i := range batch {
			if o := batch[i].owner; o != nil {
				o.Gone(batch[i].frame)
			}
		}
		clear(batch)
		clear(frames)
		if err != nil {
			return err
		}
	}
}

// next waits for frames and takes a batch of them: control first, and at least
// one data frame if there is one.
func (w *Writer[F]) next(batch []item[F]) ([]item[F], error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.control.len()+w.data.len() == 0 && !w.closed && !w.flush {
		w.change.Wait()
	}
	if w.closed || w.control.len()+w.data.len() == 0 {
		return nil, ErrWriterClosed
	}
	size := 0
	for w.control.len() > 0 && size < maxBatch {
		it := w.control.pop()
		size += it.size
		batch = append(batch, it)
	}
	// A frame that had to wait for others' control frames still goes now.
	for first := true; w.data.len() > 0 && (first || size < maxBatch); first = false {
		it := w.data.pop()
		size += it.size
		batch = append(batch, it)
	}
	w.change.Broadcast() // Room
	return batch, nil
}

func (w *Writer[F]) drop() {
	w.mu.Lock()
	w.closed = true
	left := append(w.control.rest(), w.data.rest()...)
	w.control, w.data = queue[F]{}, queue[F]{}
	w.change.Broadcast()
	w.mu.Unlock()
	for i := range left {
		if o := left[i].owner; o != nil {
			o.Gone(left[i].frame)
		}
	}
}

// queue is first in, first out, and gives its memory back when a burst is over.
type queue[F any] struct {
	items []item[F]
	at    int
}

func (q *queue[F]) len() int        { return len(q.items) - q.at }
func (q *queue[F]) push(it item[F]) { q.items = append(q.items, it) }
func (q *queue[F]) rest() []item[F] { return q.items[q.at:] }

func (q *queue[F]) pop() item[F] {
	it := q.items[q.at]
	q.items[q.at] = item[F]{}
	q.at++
	switch {
	case q.at < len(q.items):
		if q.at >= 1024 && q.at*2 >= len(q.items) {
			q.items = append([]item[F](nil), q.items[q.at:]...)
			q.at = 0
		}
	case cap(q.items) > 1024:
		q.items, q.at = nil, 0
	default:
		q.items, q.at = q.items[:0], 0
	}
	return it
}

// Package shift gives test builds a clock that can be moved from outside.
//
// A clock file holds 16 bytes: two int64 in the machine's byte order, the
// nanoseconds to add to the wall clock and to the monotonic clock. The process
// under test maps the file and reads both at each reading of the clock; the one
// that tests, package emulator among them, writes it. Programs import this
// package under the build tag lifttest only.
package shift

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/liftmesh/lift"
)

// Size is the length of a clock file.
const Size = 16

// offsets is the file as it lies in memory.
type offsets struct{ wall, mono atomic.Int64 }

// Open maps the clock file at path and returns [lift.Now] with the file's
// offsets added. The mapping stays for the life of the process. The function is
// safe for concurrent use. Each offset is read atomically, the pair is not:
// a writer stops the process first, or takes a torn pair for a moment.
func Open(path string) (now func() lift.Instant, err error) {
	m, err := open(path, os.O_RDONLY, syscall.PROT_READ)
	if err != nil {
		return nil, err
	}
	o := m.offsets()
	return func() lift.Instant {
		t := lift.Now()
		return lift.Instant{
			Wall: t.Wall.Add(time.Duration(o.wall.Load())),
			Mono: t.Mono + time.Duration(o.mono.Load()),
		}
	}, nil
}

// Writer moves the clocks of all who have opened the file. Safe for concurrent
// use.
type Writer struct{ m mapping }

// Create makes a clock file with offsets of zero, over any file at path, and
// opens it for writing. Whoever mapped the old file keeps seeing the new
// offsets.
func Create(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("shift: %w", err)
	}
	_, err = f.WriteAt(make([]byte, Size), 0)
	if err == nil {
		err = f.Truncate(Size)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("shift: %w", err)
	}
	m, err := open(path, os.O_RDWR, syscall.PROT_READ|syscall.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	return &Writer{m: m}, nil
}

// Add moves the wall clock by wall and the monotonic clock by mono.
func (w *Writer) Add(wall, mono time.Duration) {
	o := w.m.offsets()
	o.wall.Add(int64(wall))
	o.mono.Add(int64(mono))
}

// Close lets go of the file; the offsets stay in it. The Writer must not be
// used any more.
func (w *Writer) Close() error { return syscall.Munmap(w.m) }

type mapping []byte

func open(path string, flag, prot int) (mapping, error) {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, fmt.Errorf("shift: %w", err)
	}
	defer f.Close() // the mapping does not need it
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("shift: %w", err)
	}
	if info.Size() != Size {
		return nil, fmt.Errorf("shift: %s is no clock file: %d bytes, not %d; make it with shift.Create or emulator.Config.ClockFile", path, info.Size(), Size)
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, Size, prot, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("shift: map %s: %w", path, err)
	}
	return m, nil
}

// offsets looks at the mapping as what it holds. A mapping begins on a page, so
// both numbers are aligned.
func (m mapping) offsets() *offsets {
	return (*offsets)(unsafe.Pointer(unsafe.SliceData(m))) //nolint:gosec // the format is two int64
}

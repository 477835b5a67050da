package emulator

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"
)

// clockBytes is the size of a clock file: the offsets of the wall and of the
// monotonic clock, nanoseconds as int64 in the machine's byte order.
const clockBytes = 16

// clock writes a clock file. A nil clock has no offsets. Readers map the file,
// so what is written to it is seen at once; the readers stand still when it is.
type clock struct {
	mu   sync.Mutex
	file *os.File
}

// openClock makes the file if it is missing or of another size; a file of the
// right size keeps its offsets.
func openClock(path string) (*clock, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // a nil clock is a clock without offsets
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("emulator: %w: ClockFile: %w", ErrConfig, err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != clockBytes {
		_, err = f.WriteAt(make([]byte, clockBytes), 0)
		if err == nil {
			err = f.Truncate(clockBytes)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("emulator: %w: ClockFile: %w", ErrConfig, err)
	}
	return &clock{file: f}, nil
}

// add moves the offsets.
func (c *clock) add(wall, mono time.Duration) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w, m, err := c.read()
	if err != nil {
		return fmt.Errorf("emulator: clock file: %w", err)
	}
	var b [clockBytes]byte
	binary.NativeEndian.PutUint64(b[:8], uint64(w+wall)) //nolint:gosec // the bits of an int64
	binary.NativeEndian.PutUint64(b[8:], uint64(m+mono)) //nolint:gosec // the bits of an int64
	if _, err := c.file.WriteAt(b[:], 0); err != nil {
		return fmt.Errorf("emulator: clock file: %w", err)
	}
	return nil
}

// wall is the offset of the wall clock, 0 if it cannot be read.
func (c *clock) wall() time.Duration {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w, _, err := c.read()
	if err != nil {
		return 0
	}
	return w
}

func (c *clock) read() (wall, mono time.Duration, err error) {
	var b [clockBytes]byte
	if _, err := c.file.ReadAt(b[:], 0); err != nil {
		return 0, 0, err
	}
	return time.Duration(binary.NativeEndian.Uint64(b[:8])), time.Duration(binary.NativeEndian.Uint64(b[8:])), nil //nolint:gosec // the bits of an int64
}

func (c *clock) close() error {
	if c == nil {
		return nil
	}
	return c.file.Close()
}

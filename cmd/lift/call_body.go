package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/liftmesh/lift"
)

// bodyOf returns the body that -d describes: nil for none, the text itself, @FILE, or
// @- for standard input. A body over the replay limit is not held in memory: it is
// sent while it is read, and can be sent again only until that much has left.
func bodyOf(data string, in io.Reader) (*lift.Body, error) {
	name, fromFile := strings.CutPrefix(data, "@")
	switch {
	case data == "":
		return nil, nil
	case !fromFile:
		return lift.BytesBody([]byte(data)), nil
	case name == "-":
		return readBody(io.NopCloser(in), -1)
	}
	file, err := openFile(name)
	if err != nil {
		return nil, err
	}
	size := int64(-1)
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return readBody(file, size)
}

// openFile opens the file of -d @name. A file that cannot be read is a fault of
// the command line.
func openFile(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	switch info, err := file.Stat(); {
	case err == nil && info.IsDir():
		_ = file.Close()
		return nil, unreadable(name, errors.New("it is a folder"))
	default:
		return file, nil
	}
}

func unreadable(name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // the name is said already
	}
	return usageError{fmt.Errorf("cannot read the data, -d @%s: %w", name, err)}
}

// readBody returns a complete body if all of r fits the replay limit, else a stream.
func readBody(r io.ReadCloser, size int64) (*lift.Body, error) {
	head, err := io.ReadAll(io.LimitReader(r, lift.ReplayLimit))
	if err != nil || len(head) < lift.ReplayLimit {
		return lift.BytesBody(head), errors.Join(err, r.Close())
	}
	rest := struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r), r}
	return lift.StreamBody(rest, size, lift.ReplayLimit), nil
}

// copyBody writes an answer's body as it arrives. On a terminal it ends the last
// line, so that the prompt starts on one of its own.
func copyBody(w io.Writer, body *lift.Body) error {
	r, err := body.Reader()
	if err != nil {
		return err
	}
	last := lastByte{w: w, b: '\n'}
	_, err = io.Copy(&last, r)
	if last.b != '\n' && isTerminal(w) {
		_, _ = io.WriteString(w, "\n")
	}
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

// lastByte remembers the last byte that was written to w.
type lastByte struct {
	w io.Writer
	b byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if n > 0 {
		l.b = p[n-1]
	}
	return n, err
}

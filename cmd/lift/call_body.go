package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/liftmesh/lift"
)

// bodyOf is the body that -d describes: nil for none, the text itself, @FILE or
// @- for standard input. What is longer than the replay limit is not held in
// memory: it goes out while it is read, and can be sent again only before that
// much has left.
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
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	size := int64(-1)
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return readBody(file, size)
}

// readBody is complete where all of r fits the replay limit.
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

// copyBody writes an answer's body as it comes.
func copyBody(w io.Writer, body *lift.Body) error {
	r, err := body.Reader()
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

var (
	errNoFile    = errors.New("does not exist")
	errDirectory = errors.New("is a directory")
)

// readFile reads one byte more than [MaxFile] at most. Its errors leave the path
// out.
func readFile(path string) ([]byte, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil, errNoFile
	case err == nil && info.IsDir():
		return nil, errDirectory
	case err == nil && !info.Mode().IsRegular(): // to open a pipe would wait for its writer
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, cannotRead(err)
	}
	return text, nil
}

func cannotRead(err error) error {
	if inner, ok := errors.AsType[*os.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// unreadable is the problem of a lift.yaml that readFile fails for.
func unreadable(path string, err error) Problem {
	remedy := "want a YAML file that this user may read"
	switch {
	case errors.Is(err, errNoFile):
		remedy = "check the path"
	case errors.Is(err, errDirectory):
		remedy = "name the file in it, such as " + filepath.Join(path, "lift.yaml")
	}
	return Problem{What: err.Error(), Remedy: remedy}
}

// unusable says why no secret can be read from a file, "" if one may be there. It
// leaves pipes alone, from which some programs hand out secrets.
func unusable(path string) string {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return errNoFile.Error()
	case err != nil:
		return cannotRead(err).Error()
	case info.IsDir():
		return errDirectory.Error()
	case info.Mode().IsRegular() && info.Size() == 0:
		return "is empty"
	case info.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return cannotRead(err).Error()
		}
		_ = f.Close() // nothing was read
	}
	return ""
}

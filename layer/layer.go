// Package layer makes the zip of a Lambda layer that contains Lift, and checks that it
// contains only what Lambda accepts. The content also fits a container image: unpack
// the zip into /opt.
package layer

import (
	"archive/zip"
	"cmp"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Extension is the path of the extension's program in the zip. Lambda unpacks it to
// /opt/extensions/lift and starts every program in that folder.
const Extension = "extensions/lift"

// Support is the folder for everything else; Lambda unpacks it to /opt/lift.
const Support = "lift/"

// Epoch is the time of an entry without a time: the earliest that a zip can contain.
func Epoch() time.Time { return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) }

// File is one entry of the zip.
type File struct {
	// Name is the path in the zip: [Extension], or below [Support].
	Name string
	// Mode is the file's permissions, such as 0o755.
	Mode fs.FileMode
	// Modified is the entry's time; zero, and everything before it, is [Epoch].
	Modified time.Time
	Data     []byte
}

// Build writes the zip of a layer that contains files, unchanged. The same files give
// the same bytes, whatever their order, the machine's time zone and its clock. It
// refuses names that Lambda would unpack to another folder or start as a program;
// [Verify] checks the rest.
func Build(w io.Writer, files []File) error {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	for i, f := range files {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("layer: %s: %w", f.Name, err)
		}
		if i > 0 && files[i-1].Name == f.Name {
			return fmt.Errorf("layer: two files have the name %s", f.Name)
		}
		modified := f.Modified.UTC()
		if modified.Before(Epoch()) {
			modified = Epoch()
		}
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: modified}
		h.SetMode(f.Mode.Perm()) // also marks the entry as made on Unix, without which the mode is lost
		entry, err := z.CreateHeader(h)
		if err == nil {
			_, err = entry.Write(f.Data)
		}
		if err != nil {
			return fmt.Errorf("layer: %s: %w", f.Name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	return nil
}

// checkName returns what is wrong with an entry's name, or nil.
func checkName(name string) error {
	switch {
	case name == "" || path.IsAbs(name) || path.Clean(name) != name || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00"):
		return fmt.Errorf("not a clean relative path with forward slashes")
	case name == Extension:
		return nil
	case strings.HasPrefix(name, Support):
		return nil
	case path.Dir(name) == path.Dir(Extension):
		return fmt.Errorf("Lambda would start it as another extension; only %s belongs here, put other files below %s", Extension, Support)
	case strings.HasPrefix(name, path.Dir(Extension)+"/"):
		return fmt.Errorf("Lambda ignores folders here; put it below %s", Support)
	default:
		return fmt.Errorf("Lambda would unpack it to /opt/%s, where runtimes and other layers have their files; put it below %s", name, Support)
	}
}

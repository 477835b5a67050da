// Package layer makes the zip of a Lambda layer that holds Lift, and checks
// that it holds only what Lambda may see. Its content also fits a container
// image: what stands in the zip belongs into /opt there.
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

// Extension is where the extension's program stands in the zip; Lambda puts it
// at /opt/extensions/lift and starts whatever it finds in that folder.
const Extension = "extensions/lift"

// Support is the folder for everything else; it comes to /opt/lift.
const Support = "lift/"

// Epoch is the time of an entry that has none: the first that a zip can hold.
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

// Build writes the zip of a layer that holds files, without touching them. The
// same files give the same bytes, whatever their order, the machine's time zone
// and its clock. It refuses names that Lambda would unpack to another place or
// start as a program; [Verify] checks the rest.
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
			return fmt.Errorf("layer: %s is there twice", f.Name)
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

// checkName tells what is wrong with an entry's name, nil if nothing is.
func checkName(name string) error {
	switch {
	case name == "" || path.IsAbs(name) || path.Clean(name) != name || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00"):
		return fmt.Errorf("not a clean relative path with forward slashes")
	case name == Extension:
		return nil
	case strings.HasPrefix(name, Support):
		return nil
	case path.Dir(name) == path.Dir(Extension):
		return fmt.Errorf("Lambda would start it as an extension of its own; only %s belongs here, put others below %s", Extension, Support)
	case strings.HasPrefix(name, path.Dir(Extension)+"/"):
		return fmt.Errorf("Lambda ignores folders here; put it below %s", Support)
	default:
		return fmt.Errorf("it would come to /opt/%s, where runtimes and other layers keep their own; put it below %s", name, Support)
	}
}

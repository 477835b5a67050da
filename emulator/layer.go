package emulator

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	maxUnzipped = 250 << 20 // Lambda's limit on function and layers, unzipped
	// Lambda starts no extension where a layer holds this file.
	disableExtensions = "disable-extensions-jwigqn8j"
)

// unpack writes the zip into folder, modes kept, and returns the folder that
// stands for /opt/extensions, or "" if the layer has none or disables them. It
// writes nothing outside of folder.
func unpack(zipPath, folder string) (string, error) {
	r, err := zip.OpenReader(zipPath)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("emulator: layer %s: %w", zipPath, ErrNotFound)
		}
		return "", fmt.Errorf("emulator: %w %s: %w; it must be a zip", ErrLayer, zipPath, err)
	}
	defer r.Close() //nolint:errcheck // only read
	left := int64(maxUnzipped)
	for _, f := range r.File {
		if err := unpackEntry(f, folder, &left); err != nil {
			return "", fmt.Errorf("emulator: %w %s: %s: %w", ErrLayer, zipPath, f.Name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(folder, disableExtensions)); err == nil {
		return "", nil
	}
	extensions := filepath.Join(folder, "extensions")
	if info, err := os.Stat(extensions); err != nil || !info.IsDir() {
		return "", nil // a layer without extensions is a layer
	}
	return extensions, nil
}

func unpackEntry(f *zip.File, folder string, left *int64) error {
	name := path.Clean(f.Name)
	if !filepath.IsLocal(name) || strings.Contains(name, `\`) {
		return errors.New("points outside of the layer")
	}
	target := filepath.Join(folder, filepath.FromSlash(name))
	if err := insideOnly(folder, filepath.Dir(target)); err != nil {
		return err
	}
	if f.FileInfo().IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	src, err := f.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	if f.Mode()&fs.ModeSymlink != 0 {
		link, err := io.ReadAll(io.LimitReader(src, 4096))
		if err != nil {
			return err
		}
		if filepath.IsAbs(string(link)) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), string(link))) {
			return fmt.Errorf("links to %s, outside of the layer", link)
		}
		return os.Symlink(string(link), target)
	}
	dst, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	n, err := io.Copy(dst, io.LimitReader(src, *left+1))
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	if *left -= n; *left < 0 {
		return errors.New("unzipped it is more than the 250 MB that Lambda takes")
	}
	return os.Chmod(target, f.Mode().Perm()) // the umask must not change the layer's modes
}

// insideOnly refuses a folder that is reached through a link, so that an entry
// cannot be written through a link that an earlier entry made.
func insideOnly(root, folder string) error {
	for folder != root {
		info, err := os.Lstat(folder)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return errors.New("lies behind a link")
		}
		folder = filepath.Dir(folder)
	}
	return nil
}

package emulator

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpack: whatever the zip says, nothing is written outside of the folder.
func FuzzUnpack(f *testing.F) {
	seed := func(name, text string) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: name}
		h.SetMode(0o755)
		if w, err := z.CreateHeader(h); err == nil {
			_, _ = w.Write([]byte(text))
		}
		_ = z.Close()
		f.Add(b.Bytes())
	}
	seed("extensions/lift", "#!/bin/sh\n")
	seed("../up", "x")
	seed("a/../../b", "x")
	f.Fuzz(func(t *testing.T, data []byte) {
		root := t.TempDir()
		zipPath := filepath.Join(root, "l.zip")
		if err := os.WriteFile(zipPath, data, 0o600); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(root, "in")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(zipPath, folder)
		entries, err := os.ReadDir(root)
		if err != nil || len(entries) != 2 {
			t.Fatalf("beside the layer: %v, %v", entries, err)
		}
		if err := removeAll(folder); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzIsID: what newID makes is taken, and only that shape.
func FuzzIsID(f *testing.F) {
	f.Add(newID())
	f.Add("")
	f.Add("5d7c7ec9-0000-4000-8000-00000000000g")
	f.Fuzz(func(t *testing.T, s string) {
		if isID(s) && (len(s) != 36 || s[8] != '-') {
			t.Errorf("%q is taken", s)
		}
		if id := newID(); !isID(id) {
			t.Errorf("%q is refused", id)
		}
	})
}

package layer_test

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/layer"
)

// program is the smallest file that passes for one.
func program(machine elf.Machine, change ...func(*elf.Header64)) []byte {
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	h.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	h.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	for _, f := range change {
		f(&h)
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		panic(err)
	}
	if h.Phnum > 0 {
		if err := binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_INTERP)}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func lift() layer.File {
	return layer.File{Name: layer.Extension, Mode: 0o755, Data: program(elf.EM_X86_64)}
}

func TestBuildIsReproducible(t *testing.T) {
	tokyo := time.FixedZone("tokyo", 9*3600)
	at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	files := []layer.File{lift(), {Name: "lift/b", Mode: 0o644, Modified: at}, {Name: "lift/a", Mode: 0o600}}
	moved := slices.Clone(files)
	slices.Reverse(moved)
	moved[1].Modified = at.In(tokyo)
	var one, two bytes.Buffer
	if err := layer.Build(&one, files); err != nil {
		t.Fatal(err)
	}
	if err := layer.Build(&two, moved); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("order and time zone change the bytes")
	}
	if files[0].Name != layer.Extension {
		t.Error("Build has sorted its caller's slice")
	}
	z, err := zip.NewReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range z.File {
		got = append(got, fmt.Sprintf("%s %s %s", f.Mode(), f.Name, f.Modified.UTC().Format(time.DateTime)))
	}
	want := []string{
		"-rwxr-xr-x extensions/lift 1980-01-01 00:00:00",
		"-rw------- lift/a 1980-01-01 00:00:00",
		"-rw-r--r-- lift/b 2026-01-02 03:04:06",
	}
	if !slices.Equal(got, want) {
		t.Errorf("entries are %q, want %q", got, want)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, says := range map[string]string{
		"":                            "clean relative path",
		"/extensions/lift":            "clean relative path",
		"lift/../extensions/x":        "clean relative path",
		"../x":                        "clean relative path",
		`lift\x`:                      "clean relative path",
		"extensions/README":           "start it as another extension",
		"extensions/.hidden":          "start it as another extension",
		"extensions/lib/x":            "ignores folders",
		"bootstrap":                   "/opt/bootstrap",
		"disable-extensions-jwigqn8j": "/opt/disable-extensions",
	} {
		err := layer.Build(&bytes.Buffer{}, []layer.File{{Name: name, Mode: 0o755}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error is %v, want one that says %q", name, err, says)
		}
	}
	if err := layer.Build(&bytes.Buffer{}, []layer.File{lift(), lift()}); err == nil || !strings.Contains(err.Error(), "two files have the name") {
		t.Errorf("error is %v", err)
	}
}

// entry is one of a zip that Build would not write.
type entry struct {
	name    string
	mode    fs.FileMode
	data    []byte
	dos     bool
	claimed uint64 // an uncompressed size that is not so
}

func zipOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Store}
		if !e.dos {
			h.SetMode(e.mode)
		}
		create := z.CreateHeader
		if e.claimed > 0 {
			h.UncompressedSize64, h.CompressedSize64 = e.claimed, uint64(len(e.data))
			create = z.CreateRaw
		}
		w, err := create(h)
		if err == nil {
			_, err = w.Write(e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestVerify(t *testing.T) {
	good := entry{name: "extensions/lift", mode: 0o755, data: program(elf.EM_X86_64)}
	with := func(change func(*entry)) []entry {
		e := good
		change(&e)
		return []entry{e}
	}
	for _, tt := range []struct {
		name    string
		entries []entry
		says    []string // none: it is good
	}{
		{name: "good", entries: []entry{good}},
		{name: "folders and data", entries: []entry{
			{name: "extensions/", mode: fs.ModeDir | 0o755}, good,
			{name: "lift/", mode: fs.ModeDir | 0o755}, {name: "lift/zones/", mode: fs.ModeDir | 0o755}, {name: "lift/zones/a", mode: 0o644},
		}},
		{"nothing", nil, []string{"extensions/lift: missing"}},
		{"mode 0644", with(func(e *entry) { e.mode = 0o644 }), []string{"mode 0644", "0755"}},
		{"mode 0700", with(func(e *entry) { e.mode = 0o700 }), []string{"mode 0700"}},
		{"no Unix mode", with(func(e *entry) { e.dos = true }), []string{"not marked as made on Unix"}},
		{"symlink", with(func(e *entry) { e.mode = fs.ModeSymlink | 0o777 }), []string{"not a plain file"}},
		{"script", with(func(e *entry) { e.data = []byte("#!/bin/sh") }), []string{"not a Linux program"}},
		{"other architecture", with(func(e *entry) { e.data = program(elf.EM_AARCH64) }), []string{"EM_AARCH64", "EM_X86_64"}},
		{"other system", with(func(e *entry) {
			e.data = program(elf.EM_X86_64, func(h *elf.Header64) { h.Ident[elf.EI_OSABI] = byte(elf.ELFOSABI_FREEBSD) })
		}), []string{"FREEBSD", "GOOS=linux"}},
		{"object file", with(func(e *entry) {
			e.data = program(elf.EM_X86_64, func(h *elf.Header64) { h.Type = uint16(elf.ET_REL) })
		}), []string{"ET_REL is not a program"}},
		{"dynamic", with(func(e *entry) {
			e.data = program(elf.EM_X86_64, func(h *elf.Header64) { h.Phoff, h.Phentsize, h.Phnum = 64, 56, 1 })
		}), []string{"CGO_ENABLED=0"}},
		{"extra file", []entry{good, {name: "extensions/README.md", mode: 0o644}}, []string{"extensions/README.md: Lambda would start it"}},
		{"folder inside", []entry{good, {name: "extensions/lib/", mode: fs.ModeDir | 0o755}}, []string{"extensions/lib/"}},
		{"elsewhere", []entry{good, {name: "lib/", mode: fs.ModeDir | 0o755}, {name: "bootstrap", mode: 0o755}}, []string{"lib/: ", "bootstrap: "}},
		{"outside", []entry{good, {name: "../x", mode: 0o755}}, []string{"../x: "}},
		{"unreadable data", []entry{good, {name: "lift/key", mode: 0o600}}, []string{"lift/key: mode 0600"}},
		{"twice", []entry{good, good}, []string{"twice"}},
		{"too large", []entry{good, {name: "lift/big", mode: 0o644, claimed: 251 << 20}}, []string{"bytes unpacked"}},
		{"lies about its size", []entry{good, {name: "lift/big", mode: 0o644, claimed: 1 << 63}, {name: "lift/big2", mode: 0o644, claimed: 1 << 63}}, []string{"bytes unpacked"}},
		{"broken content", []entry{good, {name: "lift/x", mode: 0o644, data: []byte("abc"), claimed: 7}}, []string{"lift/x: cannot be unpacked"}},
		{
			"all at once", []entry{{name: "extensions/lift", mode: 0o600, data: []byte("x")}, {name: "README", mode: 0o644}},
			[]string{"mode 0600", "not a Linux program", "README: "},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := zipOf(t, tt.entries...)
			err := layer.Verify(bytes.NewReader(b), int64(len(b)), "amd64")
			if (err == nil) != (tt.says == nil) {
				t.Fatalf("error is %v", err)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
	for _, arch := range []string{"", "386", "mips"} {
		if err := layer.Verify(bytes.NewReader(nil), 0, arch); err == nil || !strings.Contains(err.Error(), "amd64 and arm64") {
			t.Errorf("architecture %q: error is %v", arch, err)
		}
	}
	if err := layer.Verify(strings.NewReader("no zip"), 6, "arm64"); err == nil || !strings.Contains(err.Error(), "not a readable zip") {
		t.Errorf("error is %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	var b bytes.Buffer
	if err := layer.Build(&b, []layer.File{lift(), {Name: "lift/a", Mode: 0o644, Data: []byte("a")}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if layer.Verify(bytes.NewReader(b), int64(len(b)), "amd64") != nil {
			return
		}
		// What passes holds the one program that Lambda will start.
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == layer.Extension && f.Mode().Perm()&0o555 == 0o555 }) {
			t.Fatal("passed without an extension")
		}
	})
}

func ExampleBuild() {
	var zip bytes.Buffer
	if err := layer.Build(&zip, []layer.File{
		{Name: layer.Extension, Mode: 0o755, Data: program(elf.EM_AARCH64)},
		{Name: "lift/lift.yaml", Mode: 0o644, Data: []byte("services: {}\n")},
	}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(layer.Verify(bytes.NewReader(zip.Bytes()), int64(zip.Len()), "arm64"))
	fmt.Println(layer.Verify(bytes.NewReader(zip.Bytes()), int64(zip.Len()), "amd64"))
	// Output:
	// <nil>
	// layer: extensions/lift: a program for EM_AARCH64, but the layer is for EM_X86_64
}

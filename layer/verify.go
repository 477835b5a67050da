package layer

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// MaxUnzipped is how many bytes a function and all its layers may have unpacked.
// Source: Lambda quotas, 250 MB.
const MaxUnzipped = 250 << 20

// Verify reads the zip of a layer and returns all problems that Lambda would have with
// it, joined into one error, or nil. arch is the function's architecture as in GOARCH:
// amd64 or arm64.
func Verify(r io.ReaderAt, size int64, arch string) error {
	machine, ok := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if !ok {
		return fmt.Errorf("layer: architecture %q: Lambda has amd64 and arm64", arch)
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("layer: not a readable zip: %w", err)
	}
	var problems []error
	problem := func(name string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("layer: %s: %w", name, err))
		}
	}

	var unzipped uint64
	seen := map[string]bool{}
	for _, f := range z.File {
		// Capped, so that lying headers cannot make the sum overflow.
		unzipped += min(f.UncompressedSize64, MaxUnzipped+1)
		if strings.HasSuffix(f.Name, "/") {
			problem(f.Name, checkFolder(f.Name))
			continue
		}
		problem(f.Name, checkName(f.Name))
		if seen[f.Name] {
			problem(f.Name, errors.New("the zip contains it twice"))
		}
		seen[f.Name] = true
		problem(f.Name, checkMode(f))
	}
	if unzipped > MaxUnzipped {
		problem("all files", fmt.Errorf("%d bytes unpacked, and Lambda allows %d for the function and all its layers", unzipped, MaxUnzipped))
		return errors.Join(problems...) // do not unpack that much
	}
	for _, f := range z.File {
		if f.Name == Extension {
			problem(f.Name, checkProgram(f, machine))
		} else if !strings.HasSuffix(f.Name, "/") {
			_, err := content(f)
			problem(f.Name, err)
		}
	}
	if !seen[Extension] {
		problem(Extension, errors.New("missing: Lambda would start nothing"))
	}
	return errors.Join(problems...)
}

func checkFolder(name string) error {
	if name == "extensions/" {
		return nil
	}
	if trimmed := strings.TrimSuffix(name, "/"); trimmed+"/" != Support {
		return checkName(trimmed)
	}
	return nil
}

// checkMode checks that the entry is a plain file that every user can read and, if it
// is the extension, execute: Lambda's user is not known in advance.
func checkMode(f *zip.File) error {
	const creatorUnix = 3
	mode := f.Mode()
	switch {
	case f.CreatorVersion>>8 != creatorUnix:
		return errors.New("the entry is not marked as made on Unix, so its mode is lost; build it with layer.Build")
	case mode.Type() != 0:
		return fmt.Errorf("%s is not a plain file; Lambda does not resolve what it points to", fs.FormatFileInfo(f.FileInfo()))
	case f.Name == Extension && mode.Perm()&0o555 != 0o555:
		return fmt.Errorf("mode %#o: Lambda could not start it, and every invocation would fail; it must be 0755", mode.Perm())
	case mode.Perm()&0o444 != 0o444:
		return fmt.Errorf("mode %#o: the function's user could not read it; 0644 is right", mode.Perm())
	}
	return nil
}

// checkProgram checks that the program runs on Lambda's Linux and needs nothing that a
// runtime's image may lack.
func checkProgram(f *zip.File, machine elf.Machine) error {
	data, err := content(f)
	if err != nil {
		return err
	}
	e, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("not a Linux program (ELF): %w", err)
	}
	switch {
	case e.OSABI != elf.ELFOSABI_NONE && e.OSABI != elf.ELFOSABI_LINUX:
		return fmt.Errorf("a program for %v, not for Linux; build it with GOOS=linux", e.OSABI)
	case e.Machine != machine:
		return fmt.Errorf("a program for %v, but the layer is for %v", e.Machine, machine)
	case e.Type != elf.ET_EXEC && e.Type != elf.ET_DYN:
		return fmt.Errorf("%v is not a program", e.Type)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it needs a dynamic linker, which not every runtime has; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// content unpacks an entry, which also checks its sum.
func content(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxUnzipped+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	return data, nil
}

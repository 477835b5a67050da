package emulator

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// checkProgram says in clear words why path cannot be started, as far as one
// can see without starting it. who is "function" or "extension <name>".
func checkProgram(who, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("emulator: %s: %s: %w; build it first, or correct the path", who, path, ErrNotFound)
	case err != nil:
		return fmt.Errorf("emulator: %s: %w", who, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("emulator: %s: %s: %w: it is a %s, not a file", who, path, ErrNotExecutable, info.Mode().Type())
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("emulator: %s: %s: %w: its mode is %s; chmod +x it (in a zip the mode of the entry counts)", who, path, ErrNotExecutable, info.Mode().Perm())
	}
	return nil
}

// explainStart turns what exec said into what is wrong with the program. The
// system's own words are kept.
func explainStart(who, path string, err error) error {
	if seen := checkProgram(who, path); seen != nil {
		return seen
	}
	kind := platformOf(path)
	here := runtime.GOOS + "/" + runtime.GOARCH
	switch {
	case errors.Is(err, syscall.ENOEXEC) && kind != "" && kind != here:
		return fmt.Errorf("emulator: %s: %s: %w: it is for %s, this machine is %s; build it with GOOS=%s GOARCH=%s: %w",
			who, path, ErrWrongArch, kind, here, runtime.GOOS, runtime.GOARCH, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("emulator: %s: %s: %w: neither a program of this machine (%s) nor a script that starts with #!: %w",
			who, path, ErrNotExecutable, here, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("emulator: %s: %s: %w: the file is there, but the interpreter or dynamic loader that it names is not (%s): %w",
			who, path, ErrNotFound, interpreterOf(path), err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("emulator: %s: %s: %w: %w", who, path, ErrNotExecutable, err)
	}
	return fmt.Errorf("emulator: %s: %s: %w", who, path, err)
}

// platformOf is goos/goarch of the program in path, as far as its header
// tells, or "".
func platformOf(path string) string {
	if f, err := elf.Open(path); err == nil {
		defer f.Close() //nolint:errcheck // only read
		arch, known := map[elf.Machine]string{
			elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
			elf.EM_RISCV: "riscv64", elf.EM_S390: "s390x", elf.EM_PPC64: "ppc64",
		}[f.Machine]
		if !known {
			arch = f.Machine.String()
		}
		return "linux/" + arch
	}
	if f, err := macho.Open(path); err == nil {
		defer f.Close() //nolint:errcheck // only read
		switch f.Cpu {
		case macho.CpuAmd64:
			return "darwin/amd64"
		case macho.CpuArm64:
			return "darwin/arm64"
		default:
			return "darwin/" + f.Cpu.String()
		}
	}
	if head := headOf(path); bytes.HasPrefix(head, []byte("MZ")) {
		return "windows"
	}
	return ""
}

// interpreterOf is what a script's first line, or a program's header, names.
func interpreterOf(path string) string {
	head := headOf(path)
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		return strings.TrimSpace(string(line))
	}
	f, err := elf.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close() //nolint:errcheck // only read
	if section := f.Section(".interp"); section != nil {
		if data, err := section.Data(); err == nil {
			return strings.TrimRight(string(data), "\x00")
		}
	}
	return "unknown"
}

func headOf(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := io.ReadFull(f, head) // a short file is a short head
	return head[:n]
}

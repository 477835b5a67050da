//go:build e2e && linux

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

var (
	errNoPython = errors.New("there is no python3 on this machine")
	errNoNode   = errors.New("there is no node with npm on this machine")
)

// install makes a folder of the cache what fill makes of it, once for all tests and
// runs; name says with which version. Who comes second waits for the first.
func install(name string, fill func(dir string) error) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, "lift", "bin", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	whole := filepath.Join(dir, "whole")
	if _, err := os.Stat(whole); err == nil {
		return dir, nil
	}
	if err := fill(dir); err != nil {
		return "", fmt.Errorf("installing %s: %w", name, err)
	}
	return dir, os.WriteFile(whole, nil, 0o644) //nolint:gosec // says that nothing is missing
}

func command(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// installPython returns the python of a virtual environment that has the packages.
func installPython(name string, packages ...string) (python string, err error) {
	system, err := exec.LookPath("python3")
	if err != nil {
		return "", errNoPython
	}
	dir, err := install(name, func(dir string) error {
		venv := filepath.Join(dir, "venv")
		if err := command(system, "-m", "venv", "--clear", venv); err != nil {
			return err
		}
		return command(append([]string{filepath.Join(venv, "bin", "python3"), "-m", "pip", "install", "-q", "--disable-pip-version-check"}, packages...)...)
	})
	return filepath.Join(dir, "venv", "bin", "python3"), err
}

// installNode returns node and the folder in which it finds the packages.
func installNode(name string, packages ...string) (node, modules string, err error) {
	node, err = exec.LookPath("node")
	npm, err2 := exec.LookPath("npm")
	if errors.Join(err, err2) != nil {
		return "", "", errNoNode
	}
	dir, err := install(name, func(dir string) error {
		return command(append([]string{npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--silent"}, packages...)...)
	})
	return node, filepath.Join(dir, "node_modules"), err
}

//go:build !linux

package emulator

import "syscall"

func processAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stopped cannot be asked here: a signal is taken to have worked.
func stopped(int) bool { return true }

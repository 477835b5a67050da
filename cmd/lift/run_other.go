//go:build !linux

package main

import "syscall"

// attributes put a process into a group of its own, if group. It may outlive a
// lift that is killed: only Linux can be asked to prevent that.
func attributes(group bool, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: group}
}

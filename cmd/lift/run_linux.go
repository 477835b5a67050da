package main

import "syscall"

// attributes put a process into a group of its own, if group, and have it sent
// die when the thread that starts it ends.
func attributes(group bool, die syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: group, Pdeathsig: die}
}

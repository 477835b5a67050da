package emulator

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func processAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped reports whether every thread of pid stands still, or has gone.
func stopped(pid int) bool {
	stats, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil {
		return true
	}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // the thread has gone
		}
		// pid (name) state: the name may hold anything, brackets too.
		if i := bytes.LastIndexByte(data, ')'); i >= 0 && i+2 < len(data) {
			switch data[i+2] {
			case 'T', 't', 'Z', 'X':
			default:
				return false
			}
		}
	}
	return true
}

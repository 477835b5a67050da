package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	at := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	notify(func(name string) (string, bool) { return at, name == "NOTIFY_SOCKET" }, ready)
	_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 64)
	n, err := l.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	// Nobody to tell, or nobody there: no harm.
	notify(func(string) (string, bool) { return "", false }, stopping)
	notify(func(string) (string, bool) { return at + "none", true }, stopping)
}

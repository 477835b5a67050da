package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxSocketPath is the longest path that fits sockaddr_un with its final zero,
// on the systems that Lift runs on: 108 bytes on Linux, 104 on darwin and the BSDs.
func maxSocketPath() int { return len(syscall.RawSockaddrUnix{}.Path) - 1 }

// Socket is the unix socket of one server: where it should be and what was made
// there. Not safe for concurrent use.
type Socket struct {
	key  string
	path string
	mode os.FileMode
	gid  int // -1: leave it
	made os.FileInfo
}

// New is a socket that has not been made yet. key is the setting that path comes
// from, for what errors advise; group, if not "", is the name or number of the
// group that is to own it.
func New(key, path string, mode os.FileMode, group string) (*Socket, error) {
	if path == "" {
		return nil, fmt.Errorf("the socket has no path; set `%s:`", key)
	}
	if n := len(path); n > maxSocketPath() {
		return nil, fmt.Errorf("the socket's path %s is too long for a unix socket (%d bytes, at most %d); choose a shorter one", path, n, maxSocketPath())
	}
	s := &Socket{key: key, path: path, mode: mode, gid: -1}
	if group == "" {
		return s, nil
	}
	gid, err := strconv.Atoi(group)
	if err != nil {
		g, lerr := user.LookupGroup(group)
		if lerr != nil {
			return nil, fmt.Errorf("the socket's group %q: %w", group, lerr)
		}
		gid, err = strconv.Atoi(g.Gid)
		if err != nil {
			return nil, fmt.Errorf("the socket's group %q has no number: %w", group, err)
		}
	}
	s.gid = gid
	return s, nil
}

// Listen makes the socket: the folder if it is missing, past what a dead process
// has left, never over a living one's. The socket appears under its name only
// once its mode and group are right.
func (s *Socket) Listen() (*net.UnixListener, error) {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, s.explain("cannot make the folder of the socket", err)
	}
	// Two sidecars that start at once look one after the other.
	unlock := lockDir(dir)
	defer unlock()

	if err := s.clear(); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "~"+filepath.Base(s.path)[1:]) // no longer than path
	if name == s.path {
		name = filepath.Join(dir, "_"+filepath.Base(s.path)[1:])
	}
	_ = os.Remove(name)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, s.explain("cannot make the socket", err)
	}
	l.SetUnlinkOnClose(false)
	fail := func(what string, err error) (*net.UnixListener, error) {
		_ = l.Close()
		_ = os.Remove(name)
		return nil, s.explain(what, err)
	}
	if s.gid >= 0 {
		if err := os.Chown(name, -1, s.gid); err != nil {
			return fail("cannot give the socket its group", err)
		}
	}
	if err := os.Chmod(name, s.mode); err != nil {
		return fail("cannot give the socket its mode", err)
	}
	if err := os.Rename(name, s.path); err != nil {
		return fail("cannot give the socket its name", err)
	}
	if s.made, err = os.Lstat(s.path); err != nil {
		return fail("cannot look at the new socket", err)
	}
	return l, nil
}

// clear removes what a dead process left at the path, and refuses everything else
// that it finds there.
func (s *Socket) clear() error {
	info, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.explain("cannot look at the socket", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket (%s); remove it, or choose another path by `%s:`", s.path, info.Mode().Type(), s.key)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var d net.Dialer
	switch conn, err := d.DialContext(ctx, "unix", s.path); {
	case err == nil:
		who := owner(conn)
		_ = conn.Close()
		return fmt.Errorf("the socket %s is in use by %s; stop it, or choose another path by `%s:`", s.path, who, s.key)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.explain("cannot remove the socket that a dead process left", err)
		}
		return nil
	default:
		return s.explain("a socket is there and it cannot be told whether its process lives", err)
	}
}

// Here reports whether what is at the path is what was made there.
func (s *Socket) Here() bool {
	info, err := os.Lstat(s.path)
	return err == nil && s.made != nil && os.SameFile(info, s.made)
}

// Remove removes the socket if it is still this server's.
func (s *Socket) Remove() {
	if s.Here() {
		_ = os.Remove(s.path)
	}
}

// explain says what to do about the usual errors of a file system.
func (s *Socket) explain(what string, err error) error {
	dir := filepath.Dir(s.path)
	hint := ""
	switch {
	case errors.Is(err, syscall.EROFS):
		hint = fmt.Sprintf("; %s is read-only: choose a path in a folder that can be written by `%s:`", dir, s.key)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = fmt.Sprintf("; the file system of %s is full: free some of it, or choose another by `%s:`", dir, s.key)
	case errors.Is(err, fs.ErrPermission):
		hint = fmt.Sprintf("; uid %d may not do that in %s: change its owner or mode, or choose another path by `%s:`", os.Geteuid(), dir, s.key)
	case errors.Is(err, syscall.ENOTDIR):
		hint = fmt.Sprintf("; a part of %s is no folder", dir)
	}
	return fmt.Errorf("%s %s: %w%s", what, s.path, err, hint)
}

// owner names the process at the other end of conn as well as it can be named.
func owner(conn net.Conn) string {
	pid, ok := peerPID(conn)
	if !ok || pid <= 0 {
		return "another process"
	}
	if pid == os.Getpid() {
		return fmt.Sprintf("this process (pid %d)", pid)
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("another process (pid %d)", pid)
	}
	return fmt.Sprintf("another process (pid %d, %s)", pid, strings.TrimSpace(string(comm)))
}

// lockDir takes the folder's lock for the moment in which a socket is made. A
// lock that somebody else holds for long, or that cannot be had, is done without.
func lockDir(dir string) (unlock func()) {
	f, err := os.Open(dir) //nolint:gosec // the configured folder
	if err != nil {
		return func() {}
	}
	fd := int(f.Fd()) //nolint:gosec // a descriptor
	try := time.NewTicker(10 * time.Millisecond)
	defer try.Stop()
	for range 50 {
		err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		<-try.C
	}
	return func() { _ = f.Close() }
}

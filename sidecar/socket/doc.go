// Package socket makes the unix sockets of a process's doors, in the place and
// with the mode and group that are wanted, never over a living process's, and
// counts the connections that come in by any listener.
package socket

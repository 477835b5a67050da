// Package balancer answers which endpoint takes a call now, and whether it may
// be used.
package balancer

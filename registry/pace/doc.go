// Package pace says when a registry that polls asks next: not before the last
// answer's life has passed, after longer and longer waits while its source fails,
// and, where environments freeze, only while an invocation needs the service.
package pace

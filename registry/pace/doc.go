// Package pace decides when a polling registry asks its source next: when the last
// answer has expired; after longer and longer waits while the source fails; and, where
// environments freeze, only while an invocation needs the service.
package pace

// Package consul is the registry for Consul. It learns the endpoints of a service from
// Consul's health endpoints or a prepared query, and announces instances.
//
// Where nothing freezes, a watch keeps one blocking query open, and so learns of a
// change within milliseconds. Where environments freeze it never does: thousands of
// environments would keep the servers busy with queries whose answers nobody reads.
// There a watch uses plain reads: one at its start, and later ones when
// [Registry.Needed] says that the service is in use, every 30 s at most, each over a
// connection that is closed after the answer.
//
// A set is kept until Consul reports another one. An error, an empty answer from a
// server without a leader, and an answer that an ACL has emptied do not count as an
// empty set.
package consul

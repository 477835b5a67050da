// Package consul is the registry of those who have a Consul: who serves a
// service, by its health endpoints or a prepared query, and the announcement of
// oneself.
//
// Where nothing freezes a watch holds one blocking query open, so that a change
// is known within milliseconds. Where environments freeze none is ever held:
// thousands of them would keep the servers busy with queries that nobody waits
// for. There a watch reads plainly, once at its start and then when
// [Registry.Needed] says that the service is in use, every 30 s at most, over a
// connection that is closed after the answer.
//
// A set that has been told stays until Consul tells another: an error, an answer
// without a leader that says "nobody", or one that an ACL has emptied are not
// taken for an empty set.
package consul

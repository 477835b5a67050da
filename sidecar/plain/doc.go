// Package plain is the door for whoever has an HTTP client and nothing else:
// HTTP/1.1, HTTP/2 and gRPC by name on unix sockets and loopback TCP. The service
// is the request's Host or :authority, its Lift-Service field, or the listener's own.
//
// It knows calls and whoever takes them ([lift.Caller]), not what becomes of
// them. [Listen] opens the listeners and [Server.Serve] answers on them; the two
// are apart because a Lambda extension listens before it registers.
//
// There are no timers on silent peers: after a freeze they would close
// connections whose both ends were frozen together.
package plain

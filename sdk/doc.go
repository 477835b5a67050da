// Package sdk is Lift for applications: calls to services by name, made through
// the sidecar beside the program or through an engine inside it.
//
//	client, err := sdk.Dial("") // the sidecar's socket
//	order, err := sdk.Get[Order](ctx, client, "orders", "/v1/orders/7")
//	resp, err := client.HTTPClient().Get("http://orders/v1/orders/7")
//
// A [Client] needs nothing but a [lift.Caller]: [Dial] takes a session to the
// sidecar for one, [New] takes any other, such as the mesh itself. The context of
// a call brings its deadline and its cancellation across; everything else that
// can be said about one call is a [CallOption], given to the call or put into its
// context by [With].
//
// A service's name can be written in any case, as a host's can; records and errors
// show it in lower case ([lift.ServiceName]).
//
// A call that fails without an answer returns one [*lift.Error]: errors.Is(err,
// lift.AllOpen) asks for the cause, errors.As shows what was tried. An answer whose
// status is not 2xx is a [*StatusError] from the JSON calls and an ordinary response
// from the HTTP client. A nil context, client or option is such an error too, and
// not a panic.
package sdk

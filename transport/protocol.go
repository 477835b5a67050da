package transport

// Protocol is what the endpoints of a service speak.
type Protocol string

// The protocols.
const (
	// HTTP is HTTP/1.1: the default.
	HTTP Protocol = "http"
	// H2C is HTTP/2 without TLS, with prior knowledge (RFC 9113, section 3.3).
	H2C Protocol = "h2c"
	// H2 is HTTP/2 over TLS.
	H2 Protocol = "h2"
	// GRPC is HTTP/2, over TLS if the service has TLS. Every call is taken for gRPC's.
	GRPC Protocol = "grpc"
	// Auto is HTTP/2 or HTTP/1.1 over TLS, as the endpoint chooses in the handshake.
	Auto Protocol = "auto"
)

// offer is what is offered in a TLS handshake (ALPN), the most wanted first.
func (p Protocol) offer() []string {
	switch p {
	case H2C, H2, GRPC:
		return []string{"h2"}
	case Auto:
		return []string{"h2", "http/1.1"}
	default:
		return []string{"http/1.1"}
	}
}

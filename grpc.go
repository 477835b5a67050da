package lift

import "strings"

// IsGRPC reports whether a head says that what follows is gRPC: its content type
// is application/grpc, with a +format or parameters behind it or without. gRPC-Web,
// which is framed otherwise, is none.
func IsGRPC(head []Field) bool {
	const grpc = "application/grpc"
	t := Get(head, "Content-Type")
	if len(t) < len(grpc) || !strings.EqualFold(t[:len(grpc)], grpc) {
		return false
	}
	rest := t[len(grpc):]
	return rest == "" || rest[0] == '+' || rest[0] == ';' || rest[0] == ' '
}

package lift

import "strings"

// IsGRPC reports whether a head announces gRPC: its content type is application/grpc,
// with or without a +format or parameters. gRPC-Web has other frames and does not
// count.
func IsGRPC(head []Field) bool {
	const grpc = "application/grpc"
	t := Get(head, "Content-Type")
	if len(t) < len(grpc) || !strings.EqualFold(t[:len(grpc)], grpc) {
		return false
	}
	rest := t[len(grpc):]
	return rest == "" || rest[0] == '+' || rest[0] == ';' || rest[0] == ' '
}

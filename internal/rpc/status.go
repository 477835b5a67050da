package rpc

import (
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
)

// HeadError tells why an answer with this head is none of a gRPC service, nil if
// it is one: it came from something else, or from something before the service.
func HeadError(code int, header []lift.Field) error {
	contentType := lift.Get(header, "content-type")
	if IsContentType(contentType) {
		return nil
	}
	if code == http.StatusOK {
		return status.Errorf(codes.Unknown, "the answer has the content type %.60q and not application/grpc; does a gRPC service listen there?", contentType)
	}
	c := codes.Unknown
	switch code {
	case http.StatusBadRequest:
		c = codes.Internal
	case http.StatusUnauthorized:
		c = codes.Unauthenticated
	case http.StatusForbidden:
		c = codes.PermissionDenied
	case http.StatusNotFound:
		c = codes.Unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		c = codes.Unavailable
	}
	return status.Errorf(c, "the answer has the HTTP status %d and the content type %.60q; does a gRPC service listen there?", code, contentType)
}

// IsContentType reports whether s is gRPC's content type, with or without the
// name of a codec.
func IsContentType(s string) bool {
	const base = "application/grpc"
	return len(s) >= len(base) && strings.EqualFold(s[:len(base)], base) && (len(s) == len(base) || s[len(base)] == '+' || s[len(base)] == ';')
}

// HasStatus reports whether fields hold a status.
func HasStatus(fields []lift.Field) bool { return lift.Has(fields, "grpc-status") }

// Status returns the status that fields, the trailer of an answer, tell. A code
// that is not known is kept, as gRPC does.
func Status(fields []lift.Field) *status.Status {
	raw := lift.Get(fields, "grpc-status")
	if raw == "" {
		return status.New(codes.Internal, "the service's answer ended without a status")
	}
	n, err := strconv.ParseUint(raw, 10, 31)
	if err != nil {
		return status.Newf(codes.Unknown, "the service's status %.20q is no number", raw)
	}
	code := codes.Code(n)
	if details, ok := decode64(lift.Get(fields, "grpc-status-details-bin")); ok && len(details) > 0 {
		p := status.New(codes.Unknown, "").Proto()
		if proto.Unmarshal(details, p) == nil && p.GetCode() == int32(n) { //nolint:gosec // 31 bits
			return status.FromProto(p)
		}
	}
	return status.New(code, unescape(lift.Get(fields, "grpc-message")))
}

// unescape undoes gRPC's percent-encoding; what is none stays as it is.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

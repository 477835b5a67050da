package plain

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
)

// The fields by which gRPC says how a call ended. Source: gRPC over HTTP/2.
const (
	fieldGRPCTimeout = "Grpc-Timeout"
	fieldGRPCStatus  = "Grpc-Status"
	fieldGRPCMessage = "Grpc-Message"
	fieldGRPCDetails = "Grpc-Status-Details-Bin"
)

const (
	// maxGRPCMessage and maxGRPCDetails bound what an error adds to a header, in
	// bytes: some clients take no more than 8 KiB of it in all.
	maxGRPCMessage = 1 << 10
	maxGRPCDetails = 3 << 10
	// maxGRPCTimeout is what a longer grpc-timeout means: clients say "as long as it
	// takes" by the largest number there is.
	maxGRPCTimeout = 10 * 365 * 24 * time.Hour
)

// isGRPC reports whether a request is a call of gRPC. gRPC-Web is not: it says
// its status within the body.
func isGRPC(r *http.Request) bool {
	kind, ok := strings.CutPrefix(r.Header.Get("Content-Type"), "application/grpc")
	return ok && (kind == "" || kind[0] == '+' || kind[0] == ';')
}

// grpcTimeout reads a grpc-timeout: up to eight digits and a unit.
func grpcTimeout(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is none; want up to eight digits and a unit of H, M, S, m, u or n", clip(s))
	if len(s) < 2 || len(s) > 9 {
		return 0, bad
	}
	var unit time.Duration
	switch s[len(s)-1] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0, bad
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil {
		return 0, bad
	}
	if n > uint64(maxGRPCTimeout/unit) {
		return maxGRPCTimeout, nil
	}
	return max(time.Duration(n)*unit, 1), nil //nolint:gosec // less than maxGRPCTimeout; 0 is over at once, not without end
}

// grpcWishes reads what gRPC itself says of a call. The earlier of two timeouts holds.
func grpcWishes(r *http.Request, c *lift.Call) *fault {
	value, ok, f := single(r, fieldGRPCTimeout)
	if f != nil || !ok {
		return f
	}
	d, err := grpcTimeout(value)
	if err != nil {
		return refuse(c.Service, 0, "the field grpc-timeout: %w", err)
	}
	if c.Timeout <= 0 || d < c.Timeout {
		c.Timeout = d
	}
	return nil
}

// grpcCode is the code of an error that is Lift's own. Clients send what is
// UNAVAILABLE again, so where an endpoint may have acted on a call that must not
// be sent twice, it is UNKNOWN what became of it.
func grpcCode(e *lift.Error, idempotent bool) codes.Code {
	code := wire.StatusCode(e.Code)
	if code == codes.Unavailable && e.Reached != lift.NotReached && !idempotent {
		return codes.Unknown
	}
	return code
}

// setStatus writes an error as gRPC's status into h, each name behind prefix.
func setStatus(h http.Header, prefix string, e *lift.Error, code codes.Code, began lift.Instant) {
	s, _ := status.FromError(wire.Status(e, e.Service, began))
	p := s.Proto()
	p.Code = int32(code) //nolint:gosec // one of seventeen
	h[prefix+fieldGRPCStatus] = []string{strconv.Itoa(int(code))}
	h[prefix+fieldGRPCMessage] = []string{percent(p.GetMessage())}
	h[prefix+fieldError] = []string{string(e.Code)}
	if details, err := proto.Marshal(p); err == nil && len(details) <= maxGRPCDetails {
		h[prefix+fieldGRPCDetails] = []string{base64.RawStdEncoding.EncodeToString(details)}
	}
}

// percent encodes a grpc-message: what is not printable ASCII, and the percent
// sign. What is too long is cut.
func percent(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s) && len(b) < maxGRPCMessage; i++ {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// grpcFault answers with an error in gRPC's way: a header and nothing behind it.
func (x *exchange) grpcFault(f *fault) {
	code := grpcCode(f.err, x.call.IsIdempotent())
	if f.grpc != codes.OK {
		code = f.grpc
	}
	h := x.w.Header()
	clear(h)
	h["Content-Type"] = []string{"application/grpc"}
	h["Content-Length"], h["Date"] = nil, nil // net/http would add them
	setStatus(h, "", f.err, code, x.call.Began)
	if x.last {
		h.Set("Connection", "close") // net/http says GOAWAY
	}
	x.w.WriteHeader(http.StatusOK)
}

// grpcBroken ends an answer that broke off in gRPC's way: what came stays, and the
// status behind it says that it is not all.
func (x *exchange) grpcBroken(err error) {
	e := x.told(err)
	x.call.Fail(e)
	if e.Reached == lift.NotReached {
		whole := *e
		whole.Reached = lift.Answered // its head has come
		e = &whole
	}
	setStatus(x.w.Header(), http.TrailerPrefix, e, grpcCode(e, false), x.call.Began)
}

package transport

import (
	"strconv"
	"time"

	"github.com/liftmesh/lift"
)

// grpc makes the head of a request one of gRPC's: TE, which is between two hops and
// so was left out, and how long there is. That is what the call has left and not the
// attempt, whose timeout is for the head of an answer: a stream may go on beyond it,
// and an attempt that it cuts is reset. Frames, compression and metadata pass as
// they are.
func (x *muxExchange) grpc(c *lift.Call) {
	x.header["Te"] = []string{"trailers"}
	if left, limited := c.Remaining(x.began); limited {
		x.header["Grpc-Timeout"] = []string{grpcTimeout(left)}
	}
}

// grpcTimeout writes a duration as gRPC does: at most eight digits and a unit.
// Source: gRPC's PROTOCOL-HTTP2.md.
func grpcTimeout(d time.Duration) string {
	const most = 99999999
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Microsecond, "u"}, {time.Millisecond, "m"}, {time.Second, "S"}} {
		if n := max(1, d/u.unit); n <= most {
			return strconv.FormatInt(int64(n), 10) + u.name
		}
	}
	return strconv.Itoa(most) + "S"
}

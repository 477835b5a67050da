package rpctest

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// scale weighs requests as they come off the wire.
type scale struct{}

type weighed struct{ compressed atomic.Bool }

type weighedKey struct{}

// TagRPC implements stats.Handler.
func (scale) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, weighedKey{}, &weighed{}) //nolint:forbidigo // the library's way
}

// HandleRPC implements stats.Handler.
func (scale) HandleRPC(ctx context.Context, s stats.RPCStats) {
	in, ok := s.(*stats.InPayload)
	if w, known := ctx.Value(weighedKey{}).(*weighed); ok && known {
		w.compressed.Store(in.CompressedLength < in.Length)
	}
}

// TagConn implements stats.Handler.
func (scale) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (scale) HandleConn(context.Context, stats.ConnStats) {}

// seen is what the server saw of a call.
func seen(ctx context.Context) metadata.MD {
	md := metadata.MD{}
	if w, ok := ctx.Value(weighedKey{}).(*weighed); ok {
		md.Set("compressed", strconv.FormatBool(w.compressed.Load()))
	}
	if until, ok := ctx.Deadline(); ok {
		md.Set("left", strconv.FormatInt(time.Until(until).Milliseconds(), 10))
	}
	return md
}

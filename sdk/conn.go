package sdk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/rpc"
)

// Conn returns a gRPC connection to the service of that name, for stubs as they
// are generated: orderspb.NewOrdersClient(client.Conn("orders")). Unary calls and
// streams of all kinds go to one endpoint each, under the service's deadlines,
// retries and breakers. It is safe for concurrent use, costs nothing to make, and
// is not closed.
//
// The context brings deadline, cancellation, outgoing metadata and the options of
// [With]: a call is retried if it carries [Idempotent] and nothing of its answer
// has come, for what a method does is not known. The service's timeout holds for
// streams as well, to their end; one that lives longer says so with [Timeout].
//
// Of [grpc.CallOption] those for header, trailer, peer, sizes, codecs, compression,
// credentials and OnFinish hold. WaitForReady does not matter: whether to wait is
// Lift's to say. An authority is refused: that is set up in lift.yaml.
//
// Errors are statuses ([status.FromError]). What failed in Lift itself is an
// [*lift.Error] as well, for [errors.As], and its status has a lift.v1.Error as
// its detail.
func (c *Client) Conn(service string) grpc.ClientConnInterface {
	return &conn{client: c, service: lift.ServiceName(service)}
}

type conn struct {
	client  *Client
	service string
}

// remote is one gRPC call: what is asked for, and the exchange that carries it.
type remote struct {
	exchange
	options connOptions
	ended   chan struct{} // of a stream: closed once its call has ended, and with it the record
	addr    string        // of the endpoint that answered
	header  []lift.Field  // the answer's, nil before it is there and if there is no more than trailers
	trailer []lift.Field
}

// begin makes the head of a call.
func (c *conn) begin(ctx context.Context, method string, opts []grpc.CallOption) (*remote, error) {
	r := &remote{}
	r.settings = settingsFrom(ctx, nil)
	r.stays = true
	call := &r.call
	call.Service, call.Method, call.Path = c.service, http.MethodPost, method
	if err := c.client.fault(ctx); err != nil {
		refusal := r.status(r.fail(err.Code, "%w", err.Err))
		return r, refusal
	}
	if err := r.options.take(opts); err != nil {
		return r, err
	}
	if err := errors.Join(checkService(c.service), checkPath(method)); err != nil {
		err = r.status(r.fail(lift.InvalidCall, "%w", err))
		return r, err
	}
	call.Header = append(make([]lift.Field, 0, 8),
		lift.Field{Name: "content-type", Value: r.options.contentType()},
		lift.Field{Name: "te", Value: "trailers"},
		lift.Field{Name: "user-agent", Value: "grpc-go-lift"})
	if r.options.compressor != nil {
		call.Header = append(call.Header, lift.Field{Name: "grpc-encoding", Value: r.options.compressor.Name()})
	}
	if encoding.GetCompressor("gzip") != nil {
		call.Header = append(call.Header, lift.Field{Name: "grpc-accept-encoding", Value: "gzip"})
	}
	var err error
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		if call.Header, err = rpc.Fields(call.Header, md); err != nil {
			return r, err
		}
	}
	call.Header, err = r.options.credentials(ctx, call.Header, c.service, method)
	return r, err
}

// Invoke implements [grpc.ClientConnInterface].
func (c *conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	r, err := c.begin(ctx, method, opts)
	if err == nil {
		err = c.invoke(ctx, r, args, reply)
	} else {
		r.end()
	}
	r.finished(err)
	return err
}

func (c *conn) invoke(ctx context.Context, r *remote, args, reply any) error {
	frame, err := r.options.frame(args)
	if err != nil {
		r.end()
		return err
	}
	r.call.Body, r.whole = lift.BytesBody(frame), true
	resp, err := c.client.do(ctx, &r.exchange)
	if err != nil {
		return r.status(err)
	}
	defer resp.Body.Close()
	reader, err := r.answered(resp)
	if err != nil {
		return err
	}
	r.trailer, err = r.one(&reader, resp, reply)
	return err
}

// answered looks at the answer's head and returns the reader of its messages.
func (r *remote) answered(resp *lift.Response) (rpc.Reader, error) {
	if attempts := r.call.Attempts(); len(attempts) > 0 {
		r.addr = attempts[len(attempts)-1].Endpoint.Addr
	}
	if err := rpc.HeadError(resp.Status, resp.Header); err != nil {
		return rpc.Reader{}, err
	}
	reader := rpc.Reader{Codec: r.options.codec, Limit: r.options.receive, Encoding: lift.Get(resp.Header, "grpc-encoding")}
	if rpc.HasStatus(resp.Header) {
		reader.Body = http.NoBody // no more than trailers, and they have come
		r.trailer = resp.Header
		return reader, nil
	}
	r.header = resp.Header
	if content, ok := resp.Body.Complete(); ok {
		reader.Body = bytes.NewReader(content)
		return reader, nil
	}
	body, err := resp.Body.Reader()
	if err != nil {
		return reader, r.status(r.fail(lift.Internal, "the answer's body has been read already: %w", err))
	}
	reader.Body = body
	return reader, nil
}

// one reads the only message of an answer, and its trailer and status.
func (r *remote) one(reader *rpc.Reader, resp *lift.Response, into any) (trailer []lift.Field, err error) {
	switch err := reader.Next(into); {
	case err == io.EOF: //nolint:errorlint // Next's contract; what broke the body off may wrap one
		trailer, err := r.over(resp)
		if err == nil {
			err = status.Error(codes.Internal, "the service said OK and sent no message, where there has to be one")
		}
		return trailer, err
	case err != nil:
		return nil, r.broken(err)
	}
	switch more, err := reader.More(); {
	case err != nil:
		return nil, r.broken(err)
	case more:
		return nil, status.Error(codes.Internal, "the service sent a second message, where there has to be one")
	}
	return r.over(resp)
}

// over is the trailer at the answer's end and the status that it tells, nil for OK.
func (r *remote) over(resp *lift.Response) (trailer []lift.Field, err error) {
	if trailer = r.trailer; trailer == nil {
		trailer = resp.Body.Trailer()
	}
	return trailer, rpc.Status(trailer).Err()
}

// broken is the status of a call whose answer broke off, or was none.
func (r *remote) broken(err error) error {
	if b, ok := errors.AsType[*rpc.Broken](err); ok {
		if r.ended != nil {
			<-r.ended // whoever closed the body may still be writing the record
		}
		return r.status(r.settleBody(b.Err))
	}
	return err
}

// finished hands over what the call's options asked for.
func (r *remote) finished(err error) {
	o := &r.options
	for _, md := range o.headers {
		*md = rpc.Metadata(r.header)
	}
	for _, md := range o.trailers {
		*md = rpc.Metadata(r.trailer)
	}
	for _, p := range o.peers {
		if r.addr != "" {
			*p = peer.Peer{Addr: endpointAddr(r.addr)}
		}
	}
	for _, f := range o.onFinish {
		f(err)
	}
}

// endpointAddr is the address of an endpoint, as [peer.Peer] tells it.
type endpointAddr string

// Network implements [net.Addr].
func (endpointAddr) Network() string { return "tcp" }

// String implements [net.Addr].
func (a endpointAddr) String() string { return string(a) }

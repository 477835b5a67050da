package sdk

import (
	"context"
	"errors"
	"math"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	encproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/rpc"
)

// defaultReceive is the longest message that a call takes if it does not say
// otherwise, in bytes: gRPC's own default, 4 MiB.
const defaultReceive = 4 << 20

// connOptions are what the options of one gRPC call say.
type connOptions struct {
	headers, trailers []*metadata.MD
	peers             []*peer.Peer
	onFinish          []func(error)
	send, receive     int
	codec             encoding.CodecV2
	subtype           string // of the content type, "" for proto
	compressor        encoding.Compressor
	creds             []credentials.PerRPCCredentials
}

// take reads opts. Errors are statuses. It skips unknown options: they belong to
// interceptors.
func (o *connOptions) take(opts []grpc.CallOption) error {
	o.send, o.receive = math.MaxInt32, defaultReceive
	var wrong error
	for _, opt := range opts {
		switch opt := opt.(type) {
		case nil:
			wrong = errors.Join(wrong, status.Error(codes.InvalidArgument, "a grpc.CallOption is nil; leave it out"))
		case grpc.HeaderCallOption:
			o.headers = append(o.headers, opt.HeaderAddr)
		case grpc.TrailerCallOption:
			o.trailers = append(o.trailers, opt.TrailerAddr)
		case grpc.PeerCallOption:
			o.peers = append(o.peers, opt.PeerAddr)
		case grpc.OnFinishCallOption:
			o.onFinish = append(o.onFinish, opt.OnFinish)
		case grpc.MaxSendMsgSizeCallOption:
			o.send = opt.MaxSendMsgSize
		case grpc.MaxRecvMsgSizeCallOption:
			o.receive = opt.MaxRecvMsgSize
		case grpc.PerRPCCredsCallOption:
			o.creds = append(o.creds, opt.Creds)
		case grpc.ContentSubtypeCallOption:
			o.subtype = opt.ContentSubtype
		case grpc.ForceCodecCallOption:
			o.codec = codecV1{opt.Codec}
		case grpc.ForceCodecV2CallOption:
			o.codec = opt.CodecV2
		case grpc.CompressorCallOption:
			wrong = errors.Join(wrong, o.compress(opt.CompressorType))
		case grpc.AuthorityOverrideCallOption:
			wrong = errors.Join(wrong, status.Error(codes.InvalidArgument, "grpc.CallAuthority cannot be used here: set the host of the service in lift.yaml (host:)"))
		case grpc.CustomCodecCallOption:
			wrong = errors.Join(wrong, status.Error(codes.InvalidArgument, "grpc.CallCustomCodec cannot be used here; use grpc.ForceCodecV2"))
		}
	}
	if wrong != nil {
		return wrong
	}
	return o.chooseCodec()
}

func (o *connOptions) compress(name string) error {
	if name == "" || name == encoding.Identity {
		o.compressor = nil
		return nil
	}
	if o.compressor = encoding.GetCompressor(name); o.compressor == nil {
		return status.Errorf(codes.Internal, "the compressor %q is not known; import its package (gzip: google.golang.org/grpc/encoding/gzip)", name)
	}
	return nil
}

func (o *connOptions) chooseCodec() error {
	switch {
	case o.codec != nil:
		if o.subtype == "" {
			o.subtype = strings.ToLower(o.codec.Name())
		}
	case o.subtype == "":
		o.codec = encoding.GetCodecV2(encproto.Name)
	default:
		if o.codec = encoding.GetCodecV2(o.subtype); o.codec != nil {
			break
		}
		v1 := encoding.GetCodec(o.subtype)
		if v1 == nil {
			return status.Errorf(codes.Internal, "no codec is registered for the content subtype %q", o.subtype)
		}
		o.codec = codecV1{v1}
	}
	return nil
}

func (o *connOptions) contentType() string {
	if o.subtype == "" {
		return "application/grpc"
	}
	return "application/grpc+" + o.subtype
}

func (o *connOptions) frame(m any) ([]byte, error) {
	return rpc.Frame(m, o.codec, o.compressor, o.send)
}

// credentials appends the fields of the call's credentials. It refuses credentials
// that require a secure connection, as gRPC does, because only lift.yaml knows whether
// the connection to the service is one.
func (o *connOptions) credentials(ctx context.Context, header []lift.Field, service, method string) ([]lift.Field, error) {
	for _, c := range o.creds {
		if c.RequireTransportSecurity() {
			return header, status.Error(codes.Unauthenticated, "these credentials require a secure connection, and only lift.yaml says whether the service has one; if it has, send them as metadata")
		}
		at := strings.LastIndexByte(method, '/')
		said, err := c.GetRequestMetadata(ctx, "http://"+service+method[:max(at, 0)])
		if err != nil {
			if _, ok := status.FromError(err); ok {
				return header, err
			}
			return header, status.Errorf(codes.Unauthenticated, "the call's credentials returned an error: %v", err)
		}
		if header, err = rpc.Fields(header, metadata.New(said)); err != nil {
			return header, err
		}
	}
	return header, nil
}

// codecV1 is a codec of gRPC's older kind.
type codecV1 struct{ encoding.Codec }

// Marshal implements [encoding.CodecV2].
func (c codecV1) Marshal(v any) (mem.BufferSlice, error) {
	b, err := c.Codec.Marshal(v)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (c codecV1) Unmarshal(data mem.BufferSlice, v any) error {
	return c.Codec.Unmarshal(data.Materialize(), v)
}

package rpc

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// prefix is what goes before a message: one byte that says whether it is
// compressed, four of its length.
const prefix = 5

// Frame returns m with its prefix, in memory of its own. compressor is nil for
// none. A message of more than limit bytes is an error. Errors are statuses.
func Frame(m any, codec encoding.CodecV2, compressor encoding.Compressor, limit int) ([]byte, error) {
	data, err := codec.Marshal(m)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "the message cannot be encoded: %v", err)
	}
	defer data.Free()
	var frame []byte
	if compressor == nil {
		if frame, err = room(data.Len(), limit); err != nil {
			return nil, err
		}
		data.CopyTo(frame[prefix:])
	} else {
		var b bytes.Buffer
		b.Write(make([]byte, prefix))
		if err := compress(&b, data, compressor); err != nil {
			return nil, status.Errorf(codes.Internal, "the message cannot be compressed with %s: %v", compressor.Name(), err)
		}
		if _, err := room(b.Len()-prefix, limit); err != nil {
			return nil, err
		}
		frame = b.Bytes()
		frame[0] = 1
	}
	binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-prefix)) //nolint:gosec // room has checked it
	return frame, nil
}

func room(n, limit int) ([]byte, error) {
	if n > limit || int64(n) > math.MaxUint32 {
		return nil, status.Errorf(codes.ResourceExhausted, "the message has %d bytes, the limit is %d; see grpc.MaxCallSendMsgSize", n, limit)
	}
	return make([]byte, prefix+n), nil
}

func compress(to io.Writer, data mem.BufferSlice, with encoding.Compressor) error {
	w, err := with.Compress(to)
	if err != nil {
		return err
	}
	for _, b := range data {
		if _, err := w.Write(b.ReadOnlyData()); err != nil {
			return err
		}
	}
	return w.Close()
}

// Reader reads messages from a body. One message at a time.
type Reader struct {
	// Body is what is read.
	Body io.Reader
	// Codec decodes a message, Limit is its largest length in bytes, before and
	// after it is decompressed.
	Codec encoding.CodecV2
	Limit int
	// Encoding is what the peer says that it compresses with, "" for nothing.
	Encoding string

	prefix [prefix]byte
}

// Broken is what the body's reader said when the body broke off.
type Broken struct{ Err error }

// Error implements error.
func (b *Broken) Error() string { return b.Err.Error() }

// Unwrap returns the cause.
func (b *Broken) Unwrap() error { return b.Err }

// Next reads the next message into m. It returns io.EOF at the body's end, a
// [*Broken] if the body broke off, and a status for what is wrong with the message.
func (r *Reader) Next(m any) error {
	if err := full(r.Body, r.prefix[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(r.prefix[1:]))
	if n > int64(r.Limit) {
		return tooLong(n, r.Limit)
	}
	if r.prefix[0] > 1 {
		return status.Errorf(codes.Internal, "a message began with the flag %d; 0 and 1 are known", r.prefix[0])
	}
	data, err := payload(r.Body, int(n))
	if err != nil {
		return err
	}
	defer func() { data.Free() }()
	if r.prefix[0] == 1 {
		whole, err := r.decompress(data)
		if err != nil {
			return err
		}
		data.Free()
		data = whole
	}
	if err := r.Codec.Unmarshal(data, m); err != nil {
		return status.Errorf(codes.Internal, "the message cannot be decoded: %v", err)
	}
	return nil
}

// More reports whether anything follows the last message, and reads what does. Its
// errors are as those of [Reader.Next], a clean end is none.
func (r *Reader) More() (bool, error) {
	err := full(r.Body, r.prefix[:1])
	if err == io.EOF { //nolint:errorlint // full's contract
		return false, nil
	}
	return err == nil, err
}

// full reads all of p. It returns io.EOF itself if nothing was left; a cause that
// wraps one is a body that broke off.
func full(from io.Reader, p []byte) error {
	for at := 0; at < len(p); {
		n, err := from.Read(p[at:])
		switch at += n; {
		case err == nil || at == len(p):
		case err != io.EOF:
			return &Broken{err}
		case at == 0:
			return io.EOF
		default:
			return short()
		}
	}
	return nil
}

// eager is how much memory a message gets on its word alone; for more, it has to
// come first.
const eager = 256 << 10

// payload reads n bytes.
func payload(from io.Reader, n int) (mem.BufferSlice, error) {
	pool := mem.DefaultBufferPool()
	var data mem.BufferSlice
	for n > 0 {
		piece := pool.Get(min(n, eager))
		if err := full(from, *piece); err != nil {
			pool.Put(piece)
			data.Free()
			if err == io.EOF { //nolint:errorlint // full's contract
				err = short()
			}
			return nil, err
		}
		n -= len(*piece)
		data = append(data, mem.NewBuffer(piece, pool))
	}
	return data, nil
}

func (r *Reader) decompress(data mem.BufferSlice) (mem.BufferSlice, error) {
	if r.Encoding == "" || r.Encoding == encoding.Identity {
		return nil, status.Error(codes.Internal, "a message is compressed though the service said in grpc-encoding that none is")
	}
	c := encoding.GetCompressor(r.Encoding)
	if c == nil {
		return nil, status.Errorf(codes.Unimplemented, "the service compresses with %q, which this program does not know; import its package (gzip: google.golang.org/grpc/encoding/gzip)", r.Encoding)
	}
	source := data.Reader()
	defer func() { _ = source.Close() }()
	out, err := c.Decompress(source)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "a message cannot be decompressed with %s: %v", r.Encoding, err)
	}
	if closer, ok := out.(io.Closer); ok {
		defer func() { _ = closer.Close() }()
	}
	whole, err := mem.ReadAll(io.LimitReader(out, int64(r.Limit)+1), mem.DefaultBufferPool())
	if err != nil {
		whole.Free()
		return nil, status.Errorf(codes.Internal, "a message cannot be decompressed with %s: %v", r.Encoding, err)
	}
	if n := whole.Len(); n > r.Limit {
		whole.Free()
		return nil, tooLong(int64(n), r.Limit)
	}
	return whole, nil
}

func tooLong(n int64, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "a message of %d bytes or more came, the limit is %d; see grpc.MaxCallRecvMsgSize", n, limit)
}

func short() error {
	return status.Error(codes.Internal, "the service's answer ended in the middle of a message")
}

package rpc_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	encproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/rpc"
)

func reader(frames []byte, with string) *rpc.Reader {
	return &rpc.Reader{Body: bytes.NewReader(frames), Codec: encoding.GetCodecV2(encproto.Name), Limit: 4 << 20, Encoding: with}
}

func TestMessagesThereAndBack(t *testing.T) {
	codec := encoding.GetCodecV2(encproto.Name)
	for _, with := range []string{"", gzip.Name} {
		var all []byte
		sizes := []int{0, 1, 1000, 256 << 10, 1<<20 + 7}
		for _, n := range sizes {
			frame, err := rpc.Frame(wrapperspb.Bytes(make([]byte, n)), codec, encoding.GetCompressor(with), math.MaxInt32)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, frame...)
		}
		r := reader(all, with)
		for _, n := range sizes {
			var got wrapperspb.BytesValue
			if err := r.Next(&got); err != nil || len(got.GetValue()) != n {
				t.Fatalf("%q, %d bytes: got %d, %v", with, n, len(got.GetValue()), err)
			}
		}
		if err := r.Next(&wrapperspb.BytesValue{}); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
}

// A few bytes that promise gigabytes, plain or compressed, cost neither memory nor time.
func TestBombs(t *testing.T) {
	frame, err := rpc.Frame(wrapperspb.Bytes(make([]byte, 32<<20)), encoding.GetCodecV2(encproto.Name), encoding.GetCompressor(gzip.Name), math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader(frame, gzip.Name).Next(&wrapperspb.BytesValue{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("32 MiB in %d bytes: %v", len(frame), err)
	}
	r := reader([]byte("\x00\x7f\xff\xff\xffabc"), "")
	r.Limit = math.MaxInt32
	if got := testing.AllocsPerRun(1, func() { _ = r.Next(&wrapperspb.BytesValue{}) }); got > 20 {
		t.Errorf("%v allocations", got)
	}
	r.Body = bytes.NewReader([]byte("\x00\x7f\xff\xff\xffabc"))
	if err := r.Next(&wrapperspb.BytesValue{}); status.Code(err) != codes.Internal {
		t.Errorf("2 GiB that do not come: %v", err)
	}
}

func TestBodyThatBreaks(t *testing.T) {
	cause := errors.New("reset")
	for _, body := range []string{"", "\x00\x00", "\x00\x00\x00\x00\x05ab"} {
		r := reader(nil, "")
		r.Body = io.MultiReader(strings.NewReader(body), brokenReader{cause})
		err := r.Next(&wrapperspb.BytesValue{})
		if b, ok := errors.AsType[*rpc.Broken](err); !ok || !errors.Is(b.Err, cause) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestMetadataThereAndBack(t *testing.T) {
	md := metadata.Pairs("a", "1", "a", "2", "b-bin", "\x00\xff", "b-bin", "", "te", "x", "grpc-status", "7")
	fields, err := rpc.Fields(nil, md)
	if err != nil {
		t.Fatal(err)
	}
	want := metadata.Pairs("a", "1", "a", "2", "b-bin", "\x00\xff", "b-bin", "")
	if got := rpc.Metadata(fields); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// As others write it: padded, joined, in other case; and what is no base64.
	got := rpc.Metadata([]lift.Field{{Name: "X-Bin", Value: "AP8=, AQ=="}, {Name: "x-bin", Value: "%"}, {Name: "Grpc-Message", Value: "m"}})
	if want := metadata.Pairs("x-bin", "\x00\xff", "x-bin", "\x01"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestContentType(t *testing.T) {
	for s, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=x": true, "Application/GRPC": true,
		"application/grpc-web": false, "application/json": false, "": false,
	} {
		if rpc.IsContentType(s) != want {
			t.Errorf("%q: got %t", s, !want)
		}
	}
}

// Whatever comes, reading ends, with messages, io.EOF or a status.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00"), "")
	f.Add([]byte("\x00\x00\x00\x00\x02\x0a\x00\x01\x00\x00\x00\x01"), "gzip")
	f.Add([]byte("\x01\x00\x00\x00\x05abcde"), "gzip")
	f.Add([]byte("\x02\xff\xff\xff\xff"), "br")
	f.Fuzz(func(t *testing.T, body []byte, with string) {
		r := reader(body, with)
		for range len(body) + 1 {
			err := r.Next(&wrapperspb.BytesValue{})
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				if _, ok := status.FromError(err); !ok {
					t.Errorf("%v is no status", err)
				}
				return
			}
		}
		t.Error("reading does not end")
	})
}

// Whatever a service says in its trailer, there is a status, and it can be sent on.
func FuzzStatus(f *testing.F) {
	f.Add("0", "", "")
	f.Add("9", "a%20b%", "CAkSA2Zvbw")
	f.Add("4294967295", "\xff%ff%zz", "=")
	f.Fuzz(func(t *testing.T, code, message, details string) {
		fields := []lift.Field{{Name: "grpc-status", Value: code}, {Name: "grpc-message", Value: message}, {Name: "grpc-status-details-bin", Value: details}}
		st := rpc.Status(fields)
		if code == "0" && st.Err() != nil {
			t.Errorf("OK is %v", st)
		}
		if _, err := encoding.GetCodecV2(encproto.Name).Marshal(st.Proto()); err != nil {
			t.Errorf("%v cannot be sent on: %v", st, err)
		}
		rpc.Metadata(fields)
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add("a-bin", "\x00")
	f.Add("a", "b")
	f.Fuzz(func(t *testing.T, name, value string) {
		fields, err := rpc.Fields(nil, metadata.MD{name: {value}})
		if err != nil || len(fields) == 0 {
			return
		}
		if strings.ContainsAny(fields[0].Name+fields[0].Value, "\r\n\x00") {
			t.Errorf("%q: %q went through as %q", name, value, fields)
		}
		if got := rpc.Metadata(fields)[fields[0].Name]; len(got) != 1 || got[0] != value {
			t.Errorf("%q: %q came back as %q", name, value, got)
		}
	})
}

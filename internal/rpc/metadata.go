package rpc

import (
	"encoding/base64"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
)

// binary64 is how the names of fields end whose values are base64 of any bytes.
const binary64 = "-bin"

// Fields appends md as fields. What belongs to gRPC itself is left out; an error
// is a status.
func Fields(to []lift.Field, md metadata.MD) ([]lift.Field, error) {
	for name, values := range md {
		name = strings.ToLower(name)
		if reserved(name) {
			continue
		}
		if !isKey(name) {
			return nil, status.Errorf(codes.Internal, "the metadata key %q has something else than letters, digits and -_.", name)
		}
		for _, value := range values {
			if strings.HasSuffix(name, binary64) {
				value = base64.RawStdEncoding.EncodeToString([]byte(value))
			} else if !isPrintable(value) {
				// It may be a secret: the error does not show it.
				return nil, status.Errorf(codes.Internal, "a value of the metadata key %q has something else than printable ASCII; give the key a name that ends in -bin", name)
			}
			to = append(to, lift.Field{Name: name, Value: value})
		}
	}
	return to, nil
}

// Metadata returns the fields of an answer's header or trailer as metadata, less
// what belongs to gRPC itself. A value that is no base64 though its name says so
// is left out.
func Metadata(fields []lift.Field) metadata.MD {
	md := make(metadata.MD, len(fields))
	for i := range fields {
		name := strings.ToLower(fields[i].Name)
		switch {
		case name == "content-type" || name == "user-agent":
		case reserved(name):
			continue
		}
		if !strings.HasSuffix(name, binary64) {
			md[name] = append(md[name], fields[i].Value)
			continue
		}
		for part := range strings.SplitSeq(fields[i].Value, ",") {
			if b, ok := decode64(strings.TrimSpace(part)); ok {
				md[name] = append(md[name], string(b))
			}
		}
	}
	return md
}

// decode64 takes base64 with padding and without.
func decode64(s string) ([]byte, bool) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return b, err == nil
}

// reserved are the names of which gRPC says itself what they carry.
func reserved(name string) bool {
	switch name {
	case "content-type", "user-agent", "te", "trailer",
		"grpc-message-type", "grpc-encoding", "grpc-accept-encoding", "grpc-message", "grpc-status", "grpc-status-details-bin", "grpc-timeout":
		return true
	}
	return strings.HasPrefix(name, ":")
}

func isKey(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return name != ""
}

func isPrintable(value string) bool {
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7e {
			return false
		}
	}
	return true
}

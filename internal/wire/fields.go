package wire

import (
	"strings"
	"unicode/utf8"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Fields returns fields as they go on the wire. Three allocations, however many
// there are.
func Fields(fields []lift.Field) []*liftv1.Field {
	if len(fields) == 0 {
		return nil
	}
	size := 0
	for i := range fields {
		size += len(fields[i].Value)
	}
	values := make([]byte, 0, size)
	block := make([]liftv1.Field, len(fields))
	out := make([]*liftv1.Field, len(fields))
	for i := range fields {
		at := len(values)
		values = append(values, fields[i].Value...)
		block[i].Name = text(fields[i].Name)
		block[i].Value = values[at:len(values):len(values)]
		out[i] = &block[i]
	}
	return out
}

// FromFields is the reverse of [Fields].
func FromFields(fields []*liftv1.Field) []lift.Field {
	if len(fields) == 0 {
		return nil
	}
	size := 0
	for _, f := range fields {
		size += len(f.GetValue())
	}
	var b strings.Builder
	b.Grow(size)
	for _, f := range fields {
		b.Write(f.GetValue())
	}
	values := b.String()
	out := make([]lift.Field, len(fields))
	for i, f := range fields {
		n := len(f.GetValue())
		out[i] = lift.Field{Name: f.GetName(), Value: values[:n]}
		values = values[n:]
	}
	return out
}

// FieldsSize is what fields count towards a header limit, as [lift.FieldsSize]
// counts them.
func FieldsSize(fields []*liftv1.Field) int {
	n := 0
	for _, f := range fields {
		n += len(f.GetName()) + len(f.GetValue()) + 32
	}
	return n
}

// Text makes s fit for a protobuf string: bytes that are not UTF-8 would break the
// whole message.
func Text(s string) string { return text(s) }

func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

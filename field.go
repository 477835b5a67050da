package lift

import "strings"

// Field is one header or trailer field. Names keep the case they came with and
// compare without it.
type Field struct {
	Name  string
	Value string
}

// Get returns the first value of name in fields, or "".
func Get(fields []Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}

// Has reports whether fields hold name.
func Has(fields []Field, name string) bool {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return true
		}
	}
	return false
}

// FieldsSize returns how much fields count towards a header limit: the bytes of names
// and values and 32 more for each field, as HTTP/2 counts them (RFC 9113, section
// 6.5.2).
func FieldsSize(fields []Field) int {
	n := 0
	for i := range fields {
		n += len(fields[i].Name) + len(fields[i].Value) + 32
	}
	return n
}

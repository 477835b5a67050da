package lift

// ServiceName returns the canonical form of a service's name: name with its ASCII
// letters in lower case. Services are called as hosts are, and hosts are compared
// without regard to case (RFC 9110, section 4.2.3), so http://Orders/ and
// http://orders/ are one service. SDK, doors and mesh use this form: it is what
// records, errors, logs and metrics name. It does not allocate for a name that has
// this form.
func ServiceName(name string) string {
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return lower(name)
		}
	}
	return name
}

func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

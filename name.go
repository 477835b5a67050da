package lift

// ServiceName returns the canonical form of a service's name: name with its ASCII
// letters in lower case. Service names are used like hosts, and hosts are compared
// without regard to case (RFC 9110, section 4.2.3), so http://Orders/ and
// http://orders/ are one service. SDK, doors and mesh use this form, and so records,
// errors, logs and metrics show it. ServiceName does not allocate for a name that
// already has this form.
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

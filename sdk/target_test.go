package sdk

import (
	"net/url"
	"strings"
	"testing"
)

// Whatever a URL is: either it is refused, or what goes on the wire is what was
// written, byte for byte, and cannot be taken for something else.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"http://orders/a%2Fb?x=1", "http://orders", "HTTP://orders:80/?a=b%20c", "http://orders:8080/", "http://u:p@orders/",
		"http://[::1]/", "https://orders/", "http://orders/a b", "http://orders/é?é", "http://orders//x/../y?#f", "http:opaque", "http://or%20ders/",
		"http://orders/%zz", "http://orders/a;b=c?;", "http://orders:/", "http://orders/\x7f", "//orders/a", "*", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil {
			return
		}
		service, path, err := target(u)
		if err != nil {
			return
		}
		if service == "" || strings.ContainsAny(service, "/:@?# \r\n\t") {
			t.Errorf("%q names service %q", raw, service)
		}
		if path[0] != '/' || strings.ContainsAny(path, " #\r\n\t\x00\x7f") {
			t.Errorf("%q has path %q", raw, path)
		}
		if u.User != nil || !strings.EqualFold(u.Scheme, "http") || (u.Port() != "" && u.Port() != "80") {
			t.Errorf("%q was let through", raw)
		}
		// What url.Parse keeps of the text is what is sent.
		rest := raw[strings.Index(raw, "//")+2:]
		if i := strings.IndexByte(rest, '#'); i >= 0 {
			rest = rest[:i]
		}
		written := ""
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			written = rest[i:]
		}
		if !strings.HasPrefix(written, "/") {
			written = "/" + written
		}
		if escaped(written) && path != written {
			t.Errorf("%q: wrote %q, sends %q", raw, written, path)
		}
		again, err := url.ParseRequestURI(path)
		if err != nil || again.Path != pathOf(u) || again.RawQuery != u.RawQuery {
			t.Errorf("%q: sends %q, which reads as %+v (%v)", raw, path, again, err)
		}
	})
}

func pathOf(u *url.URL) string {
	if u.Path == "" {
		return "/"
	}
	return u.Path
}

// escaped says whether all that url.URL would escape is escaped already.
func escaped(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r)
	})
}

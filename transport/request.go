package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/liftmesh/lift"
)

// request is a call's request made ready to be sent, more than once if need be.
type request struct {
	method string
	url    url.URL
	header http.Header
	body   *lift.Body
	bytes  []byte // the body, if it is all here
	live   bool   // the body is still coming in
	// upgrade is the protocol to go on with, "" for none. The body is then no part of
	// the request.
	upgrade string
	// trailer is what may follow a live body, by the names that were announced.
	trailer []string
}

// outgoing is what one sending of a request needs.
type outgoing struct {
	http.Request
	content bytes.Reader
}

// prepare checks what an attempt sends and makes the request. What it lets pass is one request
// on the wire and no more: nothing in it can end a line, a head or a body. parsed:
// somebody wants to read the URL, not only send it.
func (r *request) prepare(a *lift.Attempt, addr, prefix string, parsed bool) error {
	r.method = a.Method
	if r.method == "" {
		r.method = http.MethodGet
	}
	if !isToken(r.method) {
		return fmt.Errorf("method %q is not an HTTP method; letters like GET are what is wanted", a.Method)
	}
	if r.method == http.MethodConnect {
		return errors.New("method CONNECT opens a tunnel, which Lift does not carry; call the service itself")
	}
	if err := r.target(a.Path, addr, prefix, parsed); err != nil {
		return err
	}
	if err := r.fields(a.Header); err != nil {
		return err
	}
	r.body = a.Body
	if a.Upgrade != "" {
		return r.asksToUpgrade(a.Upgrade) // the body is for after that
	}
	content, whole := a.Body.Complete()
	r.bytes, r.live = content, !whole && a.Body.Size() != 0
	return nil
}

// target takes path and query over as they are, byte for byte, behind the prefix.
func (r *request) target(path, addr, prefix string, parsed bool) error {
	if path == "" {
		path = "/"
	}
	if path[0] != '/' && !(path == "*" && r.method == http.MethodOptions) {
		return fmt.Errorf("path %q has to start with a slash: path and query only, without scheme and host", clip(path))
	}
	for i := range len(path) {
		if b := path[i]; b <= ' ' || b == 0x7f || b == '#' {
			return fmt.Errorf("path %q holds the byte %q; percent-encode it", clip(path), b)
		}
	}
	if path[0] == '/' {
		path = prefix + path
	}
	r.url = url.URL{Opaque: path}
	if parsed || strings.HasPrefix(path, "//") { // which as Opaque would be written with the scheme in front
		u, err := url.ParseRequestURI(path)
		if err != nil || u.RequestURI() != path {
			return fmt.Errorf("path %q is not properly percent-encoded", clip(path))
		}
		r.url = *u
	}
	r.url.Scheme, r.url.Host = "http", addr
	return nil
}

// fields takes the header over, without what is between two hops only.
func (r *request) fields(fields []lift.Field) error {
	r.header = make(http.Header, len(fields)+1)
	values := make([]string, 0, len(fields))
	var named []string // by Connection fields
	for i := range fields {
		f := &fields[i]
		if !isToken(f.Name) {
			return fmt.Errorf("header name %q holds what a name must not hold (only letters, digits and !#$%%&'*+-.^_`|~)", clip(f.Name))
		}
		if b, ok := badValueByte(f.Value); ok {
			return fmt.Errorf("header %s holds the byte %q; a value must not hold control bytes", f.Name, b)
		}
		if hop, ofRequest := hopByHop(f.Name); hop || ofRequest {
			switch {
			case strings.EqualFold(f.Name, "Connection"):
				named = append(named, strings.Split(f.Value, ",")...)
			case strings.EqualFold(f.Name, "Trailer"):
				r.announce(f.Value)
			}
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if old, ok := r.header[name]; ok {
			r.header[name] = append(old, f.Value)
			continue
		}
		values = append(values, f.Value)
		r.header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	for _, name := range named {
		delete(r.header, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
	}
	if _, ok := r.header["User-Agent"]; !ok {
		r.header["User-Agent"] = nil // else net/http would speak for the caller
	}
	return nil
}

// announce takes over which fields may follow the body, but for those that
// say how the request is framed or are between two hops.
func (r *request) announce(list string) {
	for name := range strings.SplitSeq(list, ",") {
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		if hop, ofRequest := hopByHop(name); isToken(name) && !hop && !ofRequest {
			r.trailer = append(r.trailer, name)
		}
	}
}

// outgoing makes one request to send. u is its upload if the body is live.
func (r *request) outgoing(b *bounds) (o *outgoing, u *upload) {
	o = &outgoing{Request: http.Request{
		Method: r.method, URL: &r.url, Header: r.header, Host: b.cfg.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}}
	switch {
	case r.live:
		u = b.newUpload(r.body)
		o.Body, o.ContentLength = u, u.size
		if u.size < 0 {
			// Said outright, for net/http would wait up to 200 ms to see if
			// there is a body at all.
			o.TransferEncoding = chunkedEncoding
			if len(r.trailer) > 0 {
				u.trailer = make(http.Header, len(r.trailer))
				for _, name := range r.trailer {
					u.trailer[name] = nil
				}
				o.Trailer = u.trailer
			}
		}
	case len(r.bytes) > 0:
		o.content.Reset(r.bytes)
		o.Body, o.ContentLength = io.NopCloser(&o.content), int64(len(r.bytes))
	}
	return o, u
}

var chunkedEncoding = []string{"chunked"} // only ever read

// hopByHop reports whether a field is between two hops only (RFC 9110, section
// 7.6.1, and Proxy-Authorization, which is for a proxy), or is one of a request
// that is written anew from what is known: length and host.
func hopByHop(name string) (hop, ofRequest bool) {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "TE"), false
	case 4:
		return false, strings.EqualFold(name, "Host")
	case 7:
		return strings.EqualFold(name, "Upgrade") || strings.EqualFold(name, "Trailer"), false
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive"), false
	case 14:
		return false, strings.EqualFold(name, "Content-Length")
	case 16:
		return strings.EqualFold(name, "Proxy-Connection"), false
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding"), false
	case 19:
		return false, strings.EqualFold(name, "Proxy-Authorization")
	}
	return false, false
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 {
			continue
		}
		return false
	}
	return true
}

// badValueByte finds a byte that must not stand in a field's value (RFC 9110,
// section 5.5): a control byte other than tab.
func badValueByte(s string) (byte, bool) {
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7f {
			return b, true
		}
	}
	return 0, false
}

// clip keeps an error's text short whatever it quotes.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

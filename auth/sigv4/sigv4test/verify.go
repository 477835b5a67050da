// Package sigv4test is AWS's side of Signature Version 4: it recomputes what a
// request has to bear. It is written from the public specification and shares no
// code with who signs, so that a mistake does not agree with itself.
package sigv4test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Key is what a caller may sign with.
type Key struct{ ID, Secret, Token string }

// Verifier checks signatures for one service in one region. Safe for concurrent use.
type Verifier struct {
	Service, Region string
	// Keys returns the keys that are good now.
	Keys func() []Key
	// Now is AWS's clock. Default [time.Now].
	Now func() time.Time
}

// Refusal is why a request is not taken, in AWS's words.
type Refusal struct{ Kind, Message string }

// Error returns the message.
func (r *Refusal) Error() string { return r.Kind + ": " + r.Message }

const day, second = "20060102", "20060102T150405Z"

// Verify returns nil if the request is signed as it should be. Its body is content.
func (v *Verifier) Verify(r *http.Request, content []byte) *Refusal {
	header := r.Header.Values("Authorization")
	if len(header) != 1 {
		return &Refusal{"MissingAuthenticationTokenException", fmt.Sprintf("Missing Authentication Token: %d Authorization fields", len(header))}
	}
	rest, ok := strings.CutPrefix(header[0], "AWS4-HMAC-SHA256 ")
	if !ok {
		return &Refusal{"IncompleteSignatureException", "another algorithm"}
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 5 || scope[2] != v.Region || scope[3] != v.Service || scope[4] != "aws4_request" {
		return &Refusal{"InvalidSignatureException", "Credential should be scoped to " + v.Region + "/" + v.Service + ": " + parts["Credential"]}
	}
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(second, stamp)
	if err != nil || at.Format(day) != scope[1] {
		return &Refusal{"IncompleteSignatureException", "Date must be in ISO-8601 'basic format'"}
	}
	if refusal := v.timely(at); refusal != nil {
		return refusal
	}
	keys := v.Keys()
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == scope[0] })
	if i < 0 || r.Header.Get("X-Amz-Security-Token") != keys[i].Token {
		return &Refusal{"UnrecognizedClientException", "The security token included in the request is invalid."}
	}
	request, refusal := v.canonical(r, content, strings.Split(parts["SignedHeaders"], ";"))
	if refusal != nil {
		return refusal
	}
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, strings.Join(scope[1:], "/"), hash([]byte(request))}, "\n")
	key := []byte("AWS4" + keys[i].Secret)
	for _, s := range scope[1:] {
		key = mac(key, s)
	}
	if want := hex.EncodeToString(mac(key, text)); parts["Signature"] != want {
		return &Refusal{"InvalidSignatureException", "The request signature we calculated does not match the signature you provided. The Canonical String for this request should have been\n" + request}
	}
	return nil
}

func (v *Verifier) timely(at time.Time) *Refusal {
	now := time.Now()
	if v.Now != nil {
		now = v.Now()
	}
	now = now.UTC()
	switch {
	case at.Before(now.Add(-5 * time.Minute)):
		return &Refusal{"InvalidSignatureException", fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", at.Format(second), now.Add(-5*time.Minute).Format(second), now.Format(second))}
	case at.After(now.Add(5 * time.Minute)):
		return &Refusal{"InvalidSignatureException", fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", at.Format(second), now.Add(5*time.Minute).Format(second), now.Format(second))}
	}
	return nil
}

// canonical is the request as both sides have to see it.
func (v *Verifier) canonical(r *http.Request, content []byte, signed []string) (string, *Refusal) {
	if !slices.IsSorted(signed) || !slices.Contains(signed, "host") {
		return "", &Refusal{"IncompleteSignatureException", "SignedHeaders are not sorted, or lack host"}
	}
	for name := range r.Header {
		low := strings.ToLower(name)
		if (strings.HasPrefix(low, "x-amz-") || low == "content-type") && !slices.Contains(signed, low) {
			return "", &Refusal{"InvalidSignatureException", low + " has to be signed"}
		}
	}
	var b strings.Builder
	target, query, _ := strings.Cut(r.RequestURI, "?")
	b.WriteString(r.Method + "\n" + encode(normal(target), "/") + "\n" + canonicalQuery(query) + "\n")
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		if len(values) == 0 {
			return "", &Refusal{"InvalidSignatureException", name + " is signed and not there"}
		}
		for i, value := range values {
			values[i] = strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == ' ' }), " ")
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n")
	switch said := r.Header.Get("X-Amz-Content-Sha256"); {
	case v.Service == "vpc-lattice-svcs" && said != "UNSIGNED-PAYLOAD":
		return "", &Refusal{"InvalidSignatureException", "x-amz-content-sha256 has to be UNSIGNED-PAYLOAD"}
	case v.Service == "vpc-lattice-svcs":
		b.WriteString(said)
	default:
		b.WriteString(hash(content))
	}
	return b.String(), nil
}

// normal is a path without empty and dot segments.
func normal(p string) string {
	var out []string
	segments := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "..":
			out = out[:max(0, len(out)-1)]
		case s != "" && s != ".":
			out = append(out, s)
			if last {
				return "/" + strings.Join(out, "/")
			}
		}
	}
	if len(out) == 0 {
		return "/"
	}
	return "/" + strings.Join(out, "/") + "/"
}

func canonicalQuery(raw string) string {
	type pair struct{ name, value string }
	var pairs []pair
	for p := range strings.SplitSeq(raw, "&") {
		if p != "" {
			name, value, _ := strings.Cut(p, "=")
			pairs = append(pairs, pair{encode(decode(name), ""), encode(decode(value), "")})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if a.name != b.name {
			return strings.Compare(a.name, b.name)
		}
		return strings.Compare(a.value, b.value)
	})
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = p.name + "=" + p.value
	}
	return strings.Join(out, "&")
}

// encode writes every byte but the unreserved ones, and those of but, as %XX.
func encode(s, but string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~"+but, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// decode reads %XX, and a plus as a space, as forms are.
func decode(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s):
			if raw, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b = append(b, raw...)
				i += 2
				continue
			}
			b = append(b, c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(s)) // a hash takes everything
	return h.Sum(nil)
}

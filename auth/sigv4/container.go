package sigv4

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// Environment variables with credentials.
const (
	keyVariable    = "AWS_ACCESS_KEY_ID"
	secretVariable = "AWS_SECRET_ACCESS_KEY" //nolint:gosec // a variable's name
	tokenVariable  = "AWS_SESSION_TOKEN"     //nolint:gosec // a variable's name

	fullURI     = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	relativeURI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
	bearer      = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
	bearerFile  = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"

	// ecs is the host of a relative URI.
	ecs = "http://169.254.170.2"
	// maxAnswer limits how much of the endpoint's answer is read, in bytes.
	maxAnswer = 64 << 10
)

// fromVariables reads static credentials. ok is false if there are none.
func fromVariables(lookup func(string) (string, bool)) (c Credentials, ok bool, err error) {
	c.KeyID, _ = lookup(keyVariable)
	c.Secret, _ = lookup(secretVariable)
	c.Token, _ = lookup(tokenVariable)
	switch {
	case c.KeyID == "" && c.Secret == "":
		return Credentials{}, false, nil
	case c.KeyID == "" || c.Secret == "":
		return Credentials{}, false, fmt.Errorf("%w: only one of %s and %s is set; set both", lift.Misconfigured, keyVariable, secretVariable)
	}
	return c, true, nil
}

// fromContainer asks the endpoint that the environment names.
func fromContainer(ctx context.Context, lookup func(string) (string, bool)) (Credentials, error) {
	target, err := containerURL(lookup)
	if err != nil {
		return Credentials{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return Credentials{}, fmt.Errorf("%s is not a URL", fullURI)
	}
	token, err := containerToken(lookup)
	if err != nil {
		return Credentials{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	// No proxy, even if HTTP_PROXY is set. No connection is kept open: questions are
	// hours apart, and a freeze may lie in between.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return Credentials{}, fmt.Errorf("the credentials' endpoint %s does not answer: %w", r.URL.Host, innermost(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Credentials{}, fmt.Errorf("the credentials' endpoint %s broke off: %w", r.URL.Host, innermost(err))
	case resp.StatusCode != http.StatusOK:
		return Credentials{}, fmt.Errorf("the credentials' endpoint %s answers %s", r.URL.Host, resp.Status)
	case len(text) > maxAnswer:
		return Credentials{}, fmt.Errorf("the credentials' endpoint %s answers with more than 64 KiB", r.URL.Host)
	}
	c, err := parseCredentials(text)
	if err != nil {
		return Credentials{}, fmt.Errorf("the credentials' endpoint %s: %w", r.URL.Host, err)
	}
	return c, nil
}

// parseCredentials reads an endpoint's answer. Its errors do not quote the answer,
// because it holds secrets.
func parseCredentials(text []byte) (Credentials, error) {
	var got struct{ AccessKeyID, SecretAccessKey, Token, Expiration string }
	if err := json.Unmarshal(text, &got); err != nil {
		return Credentials{}, errors.New("its answer is not the expected JSON")
	}
	if got.AccessKeyID == "" || got.SecretAccessKey == "" {
		return Credentials{}, errors.New("its answer holds no AccessKeyId and SecretAccessKey")
	}
	c := Credentials{KeyID: got.AccessKeyID, Secret: got.SecretAccessKey, Token: got.Token}
	for _, s := range []string{c.KeyID, c.Secret, c.Token} {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return Credentials{}, errors.New("its answer holds a key or token with bytes that a header cannot contain")
		}
	}
	if got.Expiration != "" {
		t, err := time.Parse(time.RFC3339, got.Expiration)
		if err != nil {
			return Credentials{}, errors.New("its answer's Expiration is not an RFC 3339 time")
		}
		c.Expires = t
	}
	return c, nil
}

// containerURL returns the endpoint's URL. Plain HTTP may only lead to a loopback or
// link-local address, as in AWS's SDKs, because the answer is a secret.
func containerURL(lookup func(string) (string, bool)) (string, error) {
	if path, _ := lookup(relativeURI); path != "" {
		if !strings.HasPrefix(path, "/") {
			return "", fmt.Errorf("%s must begin with a slash", relativeURI)
		}
		return ecs + path, nil
	}
	full, _ := lookup(fullURI)
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s is not an http or https URL", fullURI)
	}
	if u.Scheme == "https" || u.Hostname() == "localhost" {
		return full, nil
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil || !a.IsLoopback() && !a.IsLinkLocalUnicast() && a != netip.MustParseAddr("fd00:ec2::23") {
		return "", fmt.Errorf("%s leads to %s without TLS; want https, or a loopback or link-local address", fullURI, u.Host)
	}
	return full, nil
}

func containerToken(lookup func(string) (string, bool)) (string, error) {
	token, _ := lookup(bearer)
	if path, _ := lookup(bearerFile); path != "" {
		text, err := os.ReadFile(path) // each time, because EKS replaces it
		if err != nil {
			return "", fmt.Errorf("%s: %w", bearerFile, err)
		}
		token = strings.TrimSpace(string(text))
	}
	if strings.ContainsAny(token, "\r\n") {
		return "", errors.New("the token for the credentials' endpoint has more than one line")
	}
	return token, nil
}

// innermost returns the cause without the URL that net/http puts before it, because the
// URL's query may be a secret.
func innermost(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

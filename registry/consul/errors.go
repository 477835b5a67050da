package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/consul/api"
)

// explain turns an error of the library into one sentence: where, what is wrong, and
// what to do. need is the permission that the request needs.
func (c *Client) explain(err error, need string) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the rest is the query's text
	}
	if status, ok := errors.AsType[api.StatusError](err); ok {
		return fmt.Errorf("consul at %s %s", c.at, c.refusal(status, need))
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, kind := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case syntax || kind:
		return fmt.Errorf("consul at %s sent an answer that is not Consul's (is it Consul?): %w", c.at, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("consul at %s ended its answer early: %w", c.at, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("consul at %s did not answer in time: %w", c.at, err)
	default:
		return fmt.Errorf("consul at %s: %w", c.at, err)
	}
}

// refusal explains an answer whose status is not 200.
func (c *Client) refusal(s api.StatusError, need string) string {
	text := brief(s.Body)
	switch {
	case s.Code == http.StatusForbidden, s.Code == http.StatusUnauthorized, strings.Contains(s.Body, "ACL not found"):
		return fmt.Sprintf("refuses %s (%d %s); it needs %s", c.Token, s.Code, text, need)
	default:
		return fmt.Sprintf("answers %d %s", s.Code, text)
	}
}

// brief returns the beginning of a text, in a form for a log line.
func brief(text string) string {
	const most = 200
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = text[:most] + "..."
	}
	return fmt.Sprintf("%q", text)
}

// lost reports whether err says that Consul does not know the thing it was asked about.
func lost(err error) bool {
	s, ok := errors.AsType[api.StatusError](err)
	return ok && (s.Code == http.StatusNotFound || s.Code == http.StatusInternalServerError && strings.Contains(s.Body, "Unknown check"))
}

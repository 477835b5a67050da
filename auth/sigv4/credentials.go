package sigv4

import (
	"fmt"
	"log/slog"
	"time"
)

// Credentials prove who calls. However they are printed or logged, secrets stay out.
type Credentials struct {
	// KeyID is the access key's id, which is no secret.
	KeyID string
	// Secret signs. Token goes along with keys of a role, "" for those of a user.
	Secret, Token string
	// Expires is the wall time from which on they are refused. Zero: not known.
	Expires time.Time
}

// String names the key, without what is secret.
func (c Credentials) String() string {
	if c.Expires.IsZero() {
		return "key " + c.KeyID
	}
	return fmt.Sprintf("key %s, good until %s", c.KeyID, c.Expires.UTC().Format(time.RFC3339))
}

// GoString is [Credentials.String].
func (c Credentials) GoString() string { return c.String() }

// Format is [Credentials.String], whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, c.String()) // whoever prints hears of its own failures
}

// LogValue is [Credentials.String].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// good reports whether they are there and have not expired at now.
func (c Credentials) good(now time.Time) bool {
	return c.KeyID != "" && (c.Expires.IsZero() || now.Before(c.Expires))
}

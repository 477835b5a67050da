package sigv4

import (
	"fmt"
	"log/slog"
	"time"
)

// Credentials prove the caller's identity to AWS. Printing or logging them never shows
// a secret.
type Credentials struct {
	// KeyID is the access key's id, which is not a secret.
	KeyID string
	// Secret is the key for signing. Token belongs to the keys of a role; "" for those
	// of a user.
	Secret, Token string
	// Expires is the wall time at which the credentials expire. Zero: not known.
	Expires time.Time
}

// String returns the key's id, without secrets.
func (c Credentials) String() string {
	if c.Expires.IsZero() {
		return "key " + c.KeyID
	}
	return fmt.Sprintf("key %s, good until %s", c.KeyID, c.Expires.UTC().Format(time.RFC3339))
}

// GoString returns [Credentials.String].
func (c Credentials) GoString() string { return c.String() }

// Format is [Credentials.String], whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, c.String()) // the caller learns of write errors from its own writer
}

// LogValue is [Credentials.String].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// good reports whether there are credentials, and they have not expired at now.
func (c Credentials) good(now time.Time) bool {
	return c.KeyID != "" && (c.Expires.IsZero() || now.Before(c.Expires))
}

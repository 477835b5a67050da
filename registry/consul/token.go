package consul

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Token is the ACL token that goes with each request: from a file, or a value. The zero
// Token sends none: the request is anonymous.
type Token struct {
	// File is the path of a file with the token and nothing else. It is read for each
	// request, so that a renewed token takes effect.
	File string
	// Value is the token if there is no File. Source says in messages where it comes
	// from ("$CONSUL_HTTP_TOKEN").
	Value, Source string
}

// maxToken is far above any token; a longer file is not a token's.
const maxToken = 64 << 10

// read returns the token, "" for none.
func (t Token) read() (string, error) {
	if t.File == "" {
		return t.Value, nil
	}
	f, err := os.Open(t.File)
	if err != nil {
		return "", fmt.Errorf("the token's file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("the token's file %s: %w", t.File, err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case token == "":
		return "", fmt.Errorf("the token's file %s is empty", t.File)
	case len(text) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("the token's file %s: %w", t.File, errors.New("it must hold one word of plain characters"))
	}
	return token, nil
}

// String names the token's source, without the token itself.
func (t Token) String() string {
	switch {
	case t.File != "":
		return "the token in " + t.File
	case t.Value == "":
		return "the anonymous token (none is configured)"
	case t.Source != "":
		return "the token of " + t.Source
	default:
		return "the configured token"
	}
}

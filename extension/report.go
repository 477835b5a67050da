package extension

import (
	"context"
	"net/http"
)

// InitError tells Lambda that the extension cannot start; it is for the time
// between Register and the first event. reason names the failure in letters
// only, such as BrokenConfig; Lambda shows it as Extension.BrokenConfig. Once
// it has been accepted (nil is returned) nothing else succeeds: exit at once,
// with a status other than 0. The function's environment goes with it.
func (c *Client) InitError(ctx context.Context, reason string, cause error) error {
	return c.report(ctx, opInitError, reason, cause)
}

// ExitError tells Lambda why the extension ends before Shutdown; it can come at
// any time after Register, also while Events waits. The rest is as with
// [Client.InitError].
func (c *Client) ExitError(ctx context.Context, reason string, cause error) error {
	return c.report(ctx, opExitError, reason, cause)
}

func (c *Client) report(ctx context.Context, op, reason string, cause error) error {
	header, err := c.identified(op)
	if err != nil {
		return err
	}
	errorType := "Extension." + letters(reason)
	header.Set(headerErrorType, errorType)
	body := struct {
		ErrorMessage string   `json:"errorMessage"`
		ErrorType    string   `json:"errorType"`
		StackTrace   []string `json:"stackTrace"`
	}{ErrorType: errorType, StackTrace: []string{}}
	if cause != nil {
		body.ErrorMessage = cause.Error()
	}
	if _, _, err := c.do(ctx, op, http.MethodPost, header, body, http.StatusAccepted); err != nil {
		return err
	}
	c.over.Store(true)
	return nil
}

// letters makes reason what Lambda takes after "Extension.": a capital and at
// least one more letter. Anything else it would replace by a name of its own.
func letters(reason string) string {
	var b []byte
	for _, r := range []byte(reason) {
		if r >= 'a' && r <= 'z' && len(b) == 0 {
			r -= 'a' - 'A'
		}
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			b = append(b, r)
		}
	}
	if len(b) < 2 {
		return "Unknown"
	}
	return string(b)
}

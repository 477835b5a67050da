package extension

import (
	"context"
	"net/http"
)

// InitError tells Lambda that the extension cannot start. Lambda accepts it between
// Register and the first event. reason names the failure in letters only, such as
// BrokenConfig; Lambda shows it as Extension.BrokenConfig. If it returns nil, Lambda has
// accepted the report and no other call succeeds: exit at once, with a status other than
// 0. The function's environment ends too.
func (c *Client) InitError(ctx context.Context, reason string, cause error) error {
	return c.report(ctx, opInitError, reason, cause)
}

// ExitError tells Lambda why the extension exits before Shutdown. It may be called at
// any time after Register, also while Events waits. Otherwise it is like
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

// letters turns reason into the form that Lambda accepts after "Extension.": a capital
// and at least one more letter. Lambda replaces anything else by a name of its own.
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

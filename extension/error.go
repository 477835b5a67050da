package extension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Error is a failed call of the Extensions API.
type Error struct {
	// Op names the call: register, next, init/error or exit/error.
	Op string
	// Status is the HTTP status, 0 if there was no complete answer.
	Status int
	// Type is Lambda's errorType, such as Extension.InvalidEventType.
	Type string
	// Message is Lambda's errorMessage, or the start of the answer if it has none.
	Message string
	// Final says that no further try can succeed, and that the process should exit. It
	// is set for status 500, which Lambda documents as a container error to exit from.
	Final bool
	// Err is the error of the connection or of the answer, nil if Lambda refused the call.
	Err error

	api string
}

// Error is one line: the call, status, Lambda's error type and message, and
// what to do about it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("lambda extensions API: ")
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	for _, s := range []string{e.Type, e.Message} {
		if s != "" {
			b.WriteString(": ")
			b.WriteString(s)
		}
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	b.WriteString("; ")
	b.WriteString(e.advice())
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// advice returns what to do about the error.
func (e *Error) advice() string {
	switch {
	case e.Status == 0 && e.Final:
		return "call Register first, once"
	case e.Status == 0 && e.Op == opNext:
		return fmt.Sprintf("Lift tries again; if it keeps failing, AWS_LAMBDA_RUNTIME_API (%s) is not Lambda's own API", e.api)
	case e.Status == 0:
		return fmt.Sprintf("no valid answer came: AWS_LAMBDA_RUNTIME_API (%s) must be the address of Lambda's own API", e.api)
	case e.Status == http.StatusInternalServerError:
		return "this environment cannot be used any more: exit now, and Lambda starts another"
	case strings.Contains(e.Message, "ShutdownEventNotSupportedForInternalExtension"), e.Type == "Extension.InvalidExtensionName":
		return "the extension's name must be the name of its file in /opt/extensions, suffix included"
	}
	switch e.Type {
	case "Extension.InvalidEventType":
		return "this environment does not offer these events"
	case "Extension.TooManyExtensions":
		return "remove an extension from the function: Lambda allows ten, internal ones (such as lambda.WithEnableSIGTERM) included"
	case "Extension.RegistrationClosed":
		return "register before the runtime asks for its first invocation"
	case "Extension.InvalidExtensionState":
		switch e.Op {
		case opRegister:
			return "register once per process"
		case opInitError:
			return "init/error is allowed between register and the first next only; use exit/error after that"
		default:
			return "Lambda has accepted an error report, so no other call succeeds: exit"
		}
	case "Extension.MissingExtensionIdentifier", "Extension.InvalidExtensionIdentifier", "Extension.UnknownExtensionIdentifier":
		return "Lambda does not know this registration; only a new environment helps"
	}
	if e.Type == "" {
		return fmt.Sprintf("AWS_LAMBDA_RUNTIME_API (%s) may not be Lambda's own API", e.api)
	}
	return "Lambda did not accept the request; try a newer version of Lift"
}

// refusal makes an error of an answer with another status than the wanted one.
func (c *Client) refusal(op string, status int, answer []byte) error {
	var wire struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}
	e := &Error{Op: op, Status: status, Final: status == http.StatusInternalServerError, api: c.cfg.API}
	if json.Unmarshal(answer, &wire) == nil {
		e.Type, e.Message = clip(wire.ErrorType), clip(wire.ErrorMessage)
	} else {
		e.Message = clip(string(answer))
	}
	return e
}

// clip makes s one line of at most 200 bytes, for a log.
func clip(s string) string {
	const most = 200
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return r == ' ' || !unicode.IsPrint(r)
	}), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

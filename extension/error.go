package extension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Error is one failed exchange with the Extensions API.
type Error struct {
	// Op is the call: register, next, init/error or exit/error.
	Op string
	// Status is the HTTP status, 0 if there was no (whole) answer.
	Status int
	// Type is Lambda's errorType, such as Extension.InvalidEventType.
	Type string
	// Message is Lambda's errorMessage, or the start of what came instead.
	Message string
	// Final: no further try can succeed, and the process should end. It is set
	// for status 500, which Lambda documents as a container error to exit from.
	Final bool
	// Err is what broke the exchange, nil if Lambda refused it.
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

// Unwrap returns what broke the exchange.
func (e *Error) Unwrap() error { return e.Err }

// advice says what to do.
func (e *Error) advice() string {
	switch {
	case e.Status == 0 && e.Final:
		return "call Register first, once"
	case e.Status == 0 && e.Op == opNext:
		return fmt.Sprintf("Lift goes on asking; if this stays so, AWS_LAMBDA_RUNTIME_API (%s) is not Lambda's own API", e.api)
	case e.Status == 0:
		return fmt.Sprintf("nothing useful answers there: AWS_LAMBDA_RUNTIME_API (%s) must name Lambda's own API", e.api)
	case e.Status == http.StatusInternalServerError:
		return "this environment is broken for good: exit now, and Lambda starts another"
	case strings.Contains(e.Message, "ShutdownEventNotSupportedForInternalExtension"), e.Type == "Extension.InvalidExtensionName":
		return "the name must be that of the program's file in /opt/extensions, suffix included"
	}
	switch e.Type {
	case "Extension.InvalidEventType":
		return "this environment does not offer these events"
	case "Extension.TooManyExtensions":
		return "take an extension off the function: Lambda allows ten, internal ones (such as lambda.WithEnableSIGTERM) included"
	case "Extension.RegistrationClosed":
		return "register before the runtime asks for its first invocation"
	case "Extension.InvalidExtensionState":
		switch e.Op {
		case opRegister:
			return "register once per process"
		case opInitError:
			return "init/error is for the time between register and the first next; use exit/error after it"
		default:
			return "after an accepted error report nothing else succeeds: exit"
		}
	case "Extension.MissingExtensionIdentifier", "Extension.InvalidExtensionIdentifier", "Extension.UnknownExtensionIdentifier":
		return "the environment does not know this registration (any more); only a new environment helps"
	}
	if e.Type == "" {
		return fmt.Sprintf("AWS_LAMBDA_RUNTIME_API (%s) may not be Lambda's own API", e.api)
	}
	return "Lambda did not accept what this version of Lift sends; a newer one may know better"
}

// refusal reads an answer with an unwanted status, whatever it holds.
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

// clip makes s fit for one line of a log.
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

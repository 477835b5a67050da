package extension

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Registration is Lambda's answer to a registration.
type Registration struct {
	// Function, Version and Handler are those of the function beside the extension.
	Function, Version, Handler string
	// AccountID is the id of the AWS account, "" if Lambda does not send it.
	AccountID string
	// Events are the events that the extension is registered for. They are fewer than
	// it asked for if the environment does not offer some.
	Events []EventType
}

// Register registers the extension for Invoke and Shutdown, or for Shutdown alone on
// Managed Instances and where Lambda refuses Invoke. Call it after opening every address
// that the function dials, and before anything that takes time.
//
// An error is an [*Error] and means that the extension is not registered. Lambda waits
// for a registration up to its limit for init. So either try again, or exit with a
// status other than 0; Lambda then starts another environment with the next invocation.
func (c *Client) Register(ctx context.Context) (Registration, error) {
	events := []EventType{Invoke, Shutdown}
	if c.cfg.Managed {
		events = []EventType{Shutdown}
	}
	reg, err := c.register(ctx, events)
	if e, ok := errors.AsType[*Error](err); ok && len(events) > 1 &&
		e.Status == http.StatusForbidden && e.Type == eventTypeRejected {
		// A refused registration does not count as the one that is allowed.
		return c.register(ctx, []EventType{Shutdown})
	}
	return reg, err
}

func (c *Client) register(ctx context.Context, events []EventType) (Registration, error) {
	header := http.Header{headerName: {c.cfg.Name}, headerFeature: {"accountId"}}
	body := struct {
		Events []EventType `json:"events"`
	}{events}
	got, answer, err := c.do(ctx, opRegister, http.MethodPost, header, body, http.StatusOK)
	if err != nil {
		return Registration{}, err
	}
	id := got.Get(headerIdentifier)
	if id == "" {
		return Registration{}, &Error{
			Op: opRegister, Status: http.StatusOK, Message: clip(string(answer)),
			Err: errors.New("the answer has no " + headerIdentifier), api: c.cfg.API,
		}
	}
	c.id.Store(&id)

	var wire struct {
		FunctionName    string `json:"functionName"`
		FunctionVersion string `json:"functionVersion"`
		Handler         string `json:"handler"`
		AccountID       string `json:"accountId"`
	}
	// With an identifier the extension is registered. The rest of the answer is not
	// worth failing for.
	_ = json.Unmarshal(answer, &wire)
	return Registration{
		Function:  wire.FunctionName,
		Version:   wire.FunctionVersion,
		Handler:   wire.Handler,
		AccountID: wire.AccountID,
		Events:    events,
	}, nil
}

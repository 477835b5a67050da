package extension

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Registration is what Lambda answers to a registration.
type Registration struct {
	// Function, Version and Handler tell beside what the extension runs.
	Function, Version, Handler string
	// AccountID is the AWS account's, "" where Lambda does not tell.
	AccountID string
	// Events is what the extension is registered for: less than was asked for
	// where the environment does not offer it.
	Events []EventType
}

// Register registers the extension for Invoke and Shutdown, on Managed
// Instances for Shutdown alone, and does so too where Lambda refuses Invoke. It
// must come after whatever the function dials is listened on, and before
// anything that takes time.
//
// An error is an [*Error] and means that the extension is not registered. Then
// there is nothing to stay alive for - Lambda would wait for the registration
// until its limit for init - so the process should end with a status other than
// 0; Lambda starts another with the next invocation.
func (c *Client) Register(ctx context.Context) (Registration, error) {
	events := []EventType{Invoke, Shutdown}
	if c.cfg.Managed {
		events = []EventType{Shutdown}
	}
	reg, err := c.register(ctx, events)
	if e, ok := errors.AsType[*Error](err); ok && len(events) > 1 &&
		e.Status == http.StatusForbidden && e.Type == eventTypeRejected {
		// A refused registration does not use up the one there is.
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
	// With an identifier the extension is registered, whatever else the answer
	// says: what it tells beside is not worth an environment.
	_ = json.Unmarshal(answer, &wire)
	return Registration{
		Function:  wire.FunctionName,
		Version:   wire.FunctionVersion,
		Handler:   wire.Handler,
		AccountID: wire.AccountID,
		Events:    events,
	}, nil
}

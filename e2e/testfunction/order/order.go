// Package order is what the end-to-end tests and their function say to each
// other.
package order

import "time"

// Duration is a time.Duration, in nanoseconds on the wire.
type Duration int64

// String writes it as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }

// Order is an invocation's payload.
type Order struct {
	Calls []Call `json:",omitempty"`
	// AtOnce makes all calls at the same time, else one after the other.
	AtOnce bool `json:",omitempty"`
	// Collect waits for all background calls and returns their answers.
	Collect bool `json:",omitempty"`
	// Sleep comes after the calls, whatever the deadline.
	Sleep Duration `json:",omitempty"`
	// End is how the function ends: "" answers, "exit" and "panic" end its process.
	End string `json:",omitempty"`
}

// Call is one call to make.
type Call struct {
	Service, Method, Path string
	// Plain is the address to call by a plain http.Client instead.
	Plain string `json:",omitempty"`
	// Timeout is the context's, 0 for none beside the invocation's.
	Timeout Duration `json:",omitempty"`
	// NoContext makes the call on context.Background().
	NoContext bool `json:",omitempty"`
	// Background leaves the call running when the function answers; it is made on
	// context.Background().
	Background bool `json:",omitempty"`
}

// Result is the function's answer.
type Result struct {
	PID     int
	Answers []Answer
	// Late are the answers of background calls.
	Late []Answer
	// Took is the handler's time, Left what remained of the invocation's.
	Took, Left Duration
}

// Answer is what became of one call. Error is "" if it was answered with 200.
type Answer struct {
	Instance, Error, Code, Reached string
	Status                         int
	// Took is by the function's own monotonic clock.
	Took     Duration
	Attempts []Attempt
}

// Attempt is one attempt of the call's record.
type Attempt struct {
	Endpoint, Outcome, Reached string
	Fresh, Probe               bool
	Took                       Duration
}

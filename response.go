package lift

// Response is the answer to a call. It is returned at the response's head;
// Body brings the rest.
type Response struct {
	// Status is the HTTP status code.
	Status int
	Header []Field
	// Body is never nil in a response that leaves a Caller. Who receives the
	// response reads it to its end or closes it.
	Body *Body
}

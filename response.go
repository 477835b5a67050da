package lift

// Response is the answer to a call or an attempt. It is returned when its head has
// come; Body is the rest.
type Response struct {
	// Status is the HTTP status code.
	Status int
	Header []Field
	// Body is never nil in a response that leaves a Caller or a RoundTripper. The
	// receiver reads it to its end, or closes it.
	Body *Body
}

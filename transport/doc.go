// Package transport is how to get to an endpoint: HTTP/1.1 over warm pools that
// survive the freezing of a Lambda environment.
package transport

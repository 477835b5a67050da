// Package invoke makes a Lambda function an upstream: a call becomes an Invoke of
// AWS's API, and what the function returns becomes the answer.
package invoke

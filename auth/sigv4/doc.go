// Package sigv4 signs attempts for AWS: it puts a Signature Version 4 into the head of
// each, with credentials that it renews in time. aws-sdk-go-v2 computes the signature;
// this package decides what is signed, by which clock and with which keys.
package sigv4

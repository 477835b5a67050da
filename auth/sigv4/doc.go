// Package sigv4 proves to AWS who calls: Signature Version 4 in the head of each
// attempt, with credentials that are renewed in time. The signing itself is
// aws-sdk-go-v2's; what is signed, by which clock and with whose keys is here.
package sigv4

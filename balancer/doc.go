// Package balancer chooses the endpoint for an attempt, and keeps for each endpoint
// whether it may be used.
package balancer

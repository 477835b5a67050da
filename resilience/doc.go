// Package resilience decides what happens when a call fails: deadline, attempt timeout,
// retry under a budget, breaker, and the one judgement that all of them use.
package resilience

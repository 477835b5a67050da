// Package resilience answers what happens if a call fails: deadline, attempt
// timeout, retry under a budget, breaker, and the one judgement that all of
// them read.
package resilience

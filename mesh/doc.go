// Package mesh is the data plane: the order of a call's steps, and the memory of each
// service, which outlives the steps.
package mesh

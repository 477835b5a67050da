// Package mesh is the data plane: the order of the steps, and the memory of each
// service that outlives them.
package mesh

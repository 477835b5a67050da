// Package cloudmap learns the endpoints of services from AWS Cloud Map. It asks for the
// whole set from time to time, and in between, at little cost, whether the set has
// changed. Where environments freeze it asks seldom, and only beside invocations that
// call the service.
package cloudmap

// Package cloudmap learns from AWS Cloud Map who serves what. It asks for the whole
// set now and then, and in between, for little, whether it has changed; where
// environments freeze it asks beside invocations that call the service, and seldom.
package cloudmap

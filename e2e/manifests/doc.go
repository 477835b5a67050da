// Package manifests holds the examples' manifests against what their platforms
// take. It is a module of its own, so that what that needs stays out of Lift's
// requirements; e2e runs its tests.
package manifests

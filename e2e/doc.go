// Package e2e holds no code of its own: its tests run Lift whole, with real
// processes and real sockets, inside the emulated Lambda and standalone. They
// lie behind the build tag e2e:
//
//	go test -race -tags e2e ./e2e/
package e2e

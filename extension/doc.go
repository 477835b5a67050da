// Package extension is a client of AWS Lambda's Extensions API: it registers an
// extension, receives Lambda's events and reports errors. It imports only the standard
// library and does not depend on the mesh.
//
// Lambda requires this order:
//
//  1. Listen on every address that the function may dial. Lambda starts the function
//     once every extension has registered, and its first call may come at once.
//  2. Call [Client.Register] within milliseconds: the function's cold start waits for it.
//  3. Do the work that takes time. It overlaps the function's own initialization.
//  4. Range over [Client.Events] until it yields Shutdown, then exit with 0.
//
// If an extension exits before Shutdown, even with status 0, Lambda ends the running
// invocation and the whole environment. So Events does not stop at errors; its comment
// says what it does about them.
package extension

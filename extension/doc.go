// Package extension speaks AWS Lambda's Extensions API: it registers, tells of
// Lambda's events and reports the end of an extension. It knows Lambda and
// nothing of the mesh, and imports the standard library only.
//
// The order that Lambda asks for, and what each step costs:
//
//  1. Listen on whatever the function may dial. Lambda starts the function once
//     every extension has registered, so what listens later is found missing.
//  2. [Client.Register], within milliseconds: the function's cold start waits for it.
//  3. Whatever takes time: it overlaps the function's own initialization.
//  4. Range over [Client.Events] until Shutdown has been yielded, then exit with 0.
//
// An extension that ends before Shutdown takes the running invocation and the
// whole environment with it, exit status 0 included. Events is made so that
// nobody has to end: see there what it does about errors.
package extension

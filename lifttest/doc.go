// Package lifttest is Lift for your own tests: the engine itself, in process, over
// services that a test defines and breaks. There is no socket and no sidecar, so it
// works in bubbles of testing/synctest, where waiting takes no time. [New] has the
// default policies, [FromConfig] those of your lift.yaml.
//
//	m := lifttest.New(t)
//	orders := m.Service("orders", handler, lifttest.Endpoints(3))
//	orders.Endpoint(0).Break(lifttest.Hang())
//	client := m.Client()
package lifttest

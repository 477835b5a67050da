package socket

// Traffic is what goes through a door at one moment. Whoever wants to close it
// without harm to its clients watches it for a while.
type Traffic struct {
	// Peers is how many connections are open, those without a call included.
	Peers int
	// Running is how many calls have begun and not ended.
	Running int
	// Begun is how many calls have ever begun, so that a call between two looks is
	// seen too.
	Begun uint64
	// Cut is how many of them were cut because the time of a drain was up.
	Cut uint64
}

// And returns the traffic of both together.
func (t Traffic) And(u Traffic) Traffic {
	return Traffic{t.Peers + u.Peers, t.Running + u.Running, t.Begun + u.Begun, t.Cut + u.Cut}
}

package wire

// Sizes of the session, in bytes.
const (
	// MaxData is the longest body that one frame carries. So small a piece lets
	// the frames of many calls take turns.
	MaxData = 16 << 10
	// Window is how much of one body a side takes before it grants more: four
	// frames, enough for a body to flow while credit is on its way.
	Window = 64 << 10
	// MoveAfter is how much of an answer a session carries before the rest moves
	// to a stream of its own.
	MoveAfter = 256 << 10
	// maxBatch is about how much goes into one message of the stream.
	maxBatch = 64 << 10
)

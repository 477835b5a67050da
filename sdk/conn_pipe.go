package sdk

import (
	"io"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
)

// pipe holds what one side has sent and the other has not read: up to 64 KiB
// (wire.Window); a sender of more waits.
type pipe struct {
	buffer wire.Inbox
	credit wire.Credit
}

func newPipe() *pipe {
	p := &pipe{}
	p.credit.Open(wire.Window)
	p.buffer.Open(wire.Window, func(bytes int) {
		_ = p.credit.Grant(uint32(bytes)) //nolint:gosec // a window at most, so it cannot overflow either
	}, nil)
	return p
}

// send hands b over; it must not be changed any more. io.EOF says that nobody
// reads any more.
func (p *pipe) send(b []byte) error {
	for len(b) > 0 {
		n, err := p.credit.Take(len(b))
		if err != nil {
			return io.EOF
		}
		p.credit.Sent() // nothing is queued but what is in the buffer
		if kept, err := p.buffer.Push(b[:n]); !kept || err != nil {
			return io.EOF
		}
		b = b[n:]
	}
	return nil
}

// fill sends what r has, to its end.
func (p *pipe) fill(r io.Reader) {
	const chunk, least = 16 << 10, 512
	var room []byte
	for {
		if len(room) < least {
			room = make([]byte, chunk)
		}
		n, err := r.Read(room)
		if serr := p.send(room[:n:n]); serr != nil {
			return
		}
		room = room[n:]
		if err != nil {
			p.buffer.Finish(err)
			return
		}
	}
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) { return p.buffer.Read(b) }

// Close implements io.Closer: nobody reads any more.
func (p *pipe) Close() error {
	p.buffer.Abort(lift.ErrBodyClosed)
	p.credit.Abort(lift.ErrBodyClosed)
	return nil
}

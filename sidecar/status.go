package sidecar

import (
	"cmp"
	"context"
	"os"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar/socket"
)

// maxSoftware is how much of what a peer says of itself is kept, in bytes.
const maxSoftware = 100

// Status implements the question of how the process is. It is answered while the
// sidecar drains, too.
func (d *door) Status(context.Context, *liftv1.StatusRequest) (out *liftv1.StatusResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, d.rpcPanicked("Status", p)
		}
	}()
	if d.cfg.Status != nil {
		return d.cfg.Status(), nil
	}
	return &liftv1.StatusResponse{Pid: int64(os.Getpid()), AtUnixNanos: wire.Nanos(d.cfg.Now().Wall), Peers: d.peers()}, nil
}

// Peers returns the programs that hold a session, in the order in which they came.
func (s *Server) Peers() []*liftv1.Peer { return s.door.peers() }

func (d *door) peers() []*liftv1.Peer {
	d.mu.Lock()
	all := make([]*liftv1.Peer, 0, len(d.sessions))
	for s := range d.sessions {
		p := proto.CloneOf(s.peer)
		s.mu.Lock()
		p.Calls = int32(len(s.calls)) //nolint:gosec // bounded by limits.calls_per_peer
		s.mu.Unlock()
		all = append(all, p)
	}
	d.mu.Unlock()
	slices.SortFunc(all, func(a, b *liftv1.Peer) int {
		return cmp.Or(cmp.Compare(a.GetSinceUnixNanos(), b.GetSinceUnixNanos()), cmp.Compare(a.GetPid(), b.GetPid()))
	})
	return all
}

// newPeer is who begins a session over conn, which may be nil.
func (d *door) newPeer(conn *socket.Peer, software string) *liftv1.Peer {
	if len(software) > maxSoftware {
		software = software[:maxSoftware]
		for !utf8.ValidString(software) {
			software = software[:len(software)-1]
		}
	}
	p := &liftv1.Peer{Software: software, SinceUnixNanos: wire.Nanos(d.cfg.Now().Wall), Address: d.cfg.Socket}
	if conn != nil {
		p.Pid = int64(conn.PID())
	}
	return p
}

package transport

import (
	"cmp"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"

	"github.com/liftmesh/lift"
)

var errLeft = errors.New("the endpoint has left the set and takes no new calls")

// way is what the ways to an endpoint have in common, whatever is spoken on them.
type way struct {
	addr   string
	cfg    Config
	now    func() lift.Instant
	dialer dialer
	slots  *Slots
	sign   signer
	rand   func() uint64
	log    *slog.Logger
}

func newWay(addr string, o Options) way {
	w := way{
		addr: addr, cfg: o.Config.WithDefaults(),
		now: o.Now, dialer: newDialer(addr, o), slots: o.Slots, sign: o.Sign, rand: o.Rand, log: o.Log,
	}
	w.cfg.Host = cmp.Or(w.cfg.Host, addr)
	if w.now == nil {
		w.now = lift.Now
	}
	if w.rand == nil {
		w.rand = rand.Uint64
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	return w
}

// first hands over an open connection, and its slot: the next connect takes them and
// opens none.
func (w *way) first(nc net.Conn) {
	w.dialer.ready <- nc
	w.dialer.slot <- struct{}{}
}

// acquire takes a connection's slot as [Slots.acquire] does, or one that was handed over.
func (w *way) acquire(q queuer) *failure {
	select {
	case <-w.dialer.slot:
		return nil
	default:
		return w.slots.acquire(q)
	}
}

// contain is deferred in every goroutine that is started here. report, if not
// nil, is told of a panic as an error.
func (w *way) contain(doing string, report func(error)) {
	if v := recover(); v != nil { //nolint:revive // contain is what is deferred
		err := panicError(doing, v)
		w.log.Error("contained a panic", "endpoint", w.addr, "error", err)
		if report != nil {
			report(err)
		}
	}
}

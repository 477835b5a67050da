package wire

import (
	"time"

	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/registry"
)

// Instance returns what is announced as it goes on the wire.
func Instance(i registry.Instance) *liftv1.Instance {
	w := &liftv1.Instance{
		Id: text(i.ID), Service: text(i.Service), Addr: text(i.Addr), Zone: text(i.Zone), Weight: small(i.Weight),
	}
	for _, t := range i.Tags {
		w.Tags = append(w.Tags, text(t))
	}
	if len(i.Meta) > 0 {
		w.Meta = make(map[string]string, len(i.Meta))
		for k, v := range i.Meta {
			w.Meta[text(k)] = text(v)
		}
	}
	if c := i.Check; !c.IsZero() {
		w.Check = &liftv1.Check{
			Http: text(c.HTTP), Tcp: text(c.TCP), TtlNanos: int64(c.TTL),
			IntervalNanos: int64(c.Interval), TimeoutNanos: int64(c.Timeout), RemoveAfterNanos: int64(c.RemoveAfter),
		}
	}
	return w
}

// FromInstance is the reverse of [Instance].
func FromInstance(w *liftv1.Instance) registry.Instance {
	c := w.GetCheck()
	return registry.Instance{
		ID: w.GetId(), Service: w.GetService(), Addr: w.GetAddr(), Zone: w.GetZone(),
		Weight: int(w.GetWeight()), Tags: w.GetTags(), Meta: w.GetMeta(),
		Check: registry.Check{
			HTTP: c.GetHttp(), TCP: c.GetTcp(), TTL: time.Duration(c.GetTtlNanos()), Interval: time.Duration(c.GetIntervalNanos()),
			Timeout: time.Duration(c.GetTimeoutNanos()), RemoveAfter: time.Duration(c.GetRemoveAfterNanos()),
		},
	}
}

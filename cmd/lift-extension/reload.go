package main

import (
	"slices"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// reload applies the file as it is now, as a whole or not at all: if anything in it is
// wrong, nothing changes. Running calls finish under the settings they started with.
func (s *stay) reload(why string) {
	defer s.contain("reloading")
	next, problems := load(s.cfg.File)
	if err := problems.Err(); err != nil {
		s.refuse(why, err)
		return
	}
	next.Attach(s.now, s.log)
	move, err := s.prepare(next)
	if err != nil {
		s.refuse(why, err)
		return
	}
	changes, err := s.mesh.Reload(next.Services)
	if err != nil {
		move.undo()
		s.refuse(why, err)
		return
	}
	if !slices.Equal(s.holds.Warnings, next.Warnings) {
		s.warn(next)
	}
	s.holds = next
	s.level.Set(next.Log.Level)
	s.move(move)
	count := s.note(why, nil, next)
	s.log.Info("reloaded", "why", why, "added", changes.Added, "changed", changes.Changed, "removed", changes.Removed,
		"opened", move.open.where(), "closed", move.gone.where(), "count", count)
	if keys := s.cfg.NeedRestart(next); len(keys) > 0 {
		s.log.Warn("some changes take effect at the next start only", "keys", keys)
	}
}

// refuse logs why a reload was refused.
func (s *stay) refuse(why string, err error) {
	count := s.note(why, err, nil)
	s.log.Error("the new configuration is refused; the old one stays in force", "why", why, "problems", err.Error(), "count", count)
}

// note keeps the result of a reload for the RPC Status, and returns how many reloads
// have had the same result. next is nil if this one was refused.
func (s *stay) note(why string, err error, next *config.Config) (count int32) {
	now := s.now().Wall
	s.state.set(func(st *state) {
		st.last = &liftv1.Reload{AtUnixNanos: wire.Nanos(now), Trigger: why}
		if err != nil {
			st.last.Refused = bounded(err)
			st.refused++
			count = st.refused
			return
		}
		st.holds, st.since = next, now
		st.applied++
		count = st.applied
	})
	return count
}

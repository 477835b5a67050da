package main

import (
	"slices"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// reload takes up the file as it is now, whole or not at all: where anything in
// it is wrong, all goes on as it was. Running calls end as they began.
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
		s.log.Warn("some of what has changed since the start takes effect at the next one", "keys", keys)
	}
}

// refuse says what is wrong; nothing else happens.
func (s *stay) refuse(why string, err error) {
	count := s.note(why, err, nil)
	s.log.Error("the new configuration is refused; the old one stays in force", "why", why, "problems", err.Error(), "count", count)
}

// note keeps what became of a reload for those who ask for the status, and
// returns how many have ended in the same way. next is nil if it was refused.
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

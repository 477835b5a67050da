package main

import "slices"

// reloads counts what became of them.
type reloads struct{ applied, refused int }

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
	s.reloads.applied++
	s.log.Info("reloaded", "why", why, "added", changes.Added, "changed", changes.Changed, "removed", changes.Removed,
		"opened", move.open.where(), "closed", move.gone.where(), "count", s.reloads.applied)
	if keys := s.cfg.NeedRestart(next); len(keys) > 0 {
		s.log.Warn("some of what has changed since the start takes effect at the next one", "keys", keys)
	}
}

// refuse says what is wrong; nothing else happens.
func (s *stay) refuse(why string, err error) {
	s.reloads.refused++
	s.log.Error("the new configuration is refused; the old one stays in force", "why", why, "problems", err.Error(), "count", s.reloads.refused)
}

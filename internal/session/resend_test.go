package session_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// TestWhatHadNotLeftIsSentAgain fills a session whose sidecar reads nothing until
// calls stay in the queue, then breaks it: those that had left fail, those that
// had not are answered by the next session. None is sent twice.
func TestWhatHadNotLeftIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sessions atomic.Int32
		seen := map[string]int{}
		side := &fake{session: func(s liftv1.Lift_SessionServer) error {
			if sessions.Add(1) == 1 {
				select {
				case <-time.After(time.Second):
				case <-s.Context().Done():
				}
				return errors.New("gone")
			}
			for {
				m, err := s.Recv()
				if err != nil {
					return err
				}
				for _, f := range m.GetFrames() {
					c := f.GetCall()
					seen[c.GetPath()]++
					err := s.Send(&liftv1.ServerFrames{Frames: []*liftv1.ServerFrame{{Kind: &liftv1.ServerFrame_Answer{
						Answer: &liftv1.Answer{Id: c.GetId(), Status: 200, End: true},
					}}}})
					if err != nil {
						return err
					}
				}
			}
		}}
		cl := side.client(t, session.Options{})
		const calls = 100
		results := make(chan error, calls)
		for i := range calls {
			go func() {
				c := &lift.Call{Service: "orders", Method: "POST", Path: "/" + string(rune('a'+i)), Body: lift.BytesBody(make([]byte, 16<<10))}
				_, _, err := ask(cl, c)
				results <- err
			}()
		}
		var again, lost int
		for range calls {
			if err := <-results; err == nil {
				again++
			} else {
				wantCode(t, err, lift.SessionLost, lift.MayHaveActed)
				lost++
			}
		}
		if again == 0 || lost == 0 || len(seen) != again {
			t.Errorf("%d sent again, %d lost, %d seen by the second session", again, lost, len(seen))
		}
		for path, n := range seen {
			if n != 1 {
				t.Errorf("%s was sent %d times", path, n)
			}
		}
	})
}

// TestDrainingRefusalGoesToAnotherSession: what a sidecar that goes refuses is not
// the caller's trouble where another answers.
func TestDrainingRefusalGoesToAnotherSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sessions atomic.Int32
		side := &fake{session: func(s liftv1.Lift_SessionServer) error {
			n := sessions.Add(1)
			for {
				m, err := s.Recv()
				if err != nil {
					return err
				}
				for _, f := range m.GetFrames() {
					a := &liftv1.Answer{Id: f.GetCall().GetId(), Status: 200, End: true}
					if n == 1 {
						a = &liftv1.Answer{Id: a.GetId(), Error: &liftv1.Error{Code: string(lift.Draining)}}
					}
					if err := s.Send(&liftv1.ServerFrames{Frames: []*liftv1.ServerFrame{{Kind: &liftv1.ServerFrame_Answer{Answer: a}}}}); err != nil {
						return err
					}
				}
			}
		}}
		cl := side.client(t, session.Options{})
		resp, _, err := ask(cl, &lift.Call{Service: "orders"})
		if err != nil || resp.Status != 200 || sessions.Load() != 2 {
			t.Errorf("%v, %v, after %d sessions", resp, err, sessions.Load())
		}
	})
}

// TestBodyRulesOfTheSidecar: an answer that overruns its window ends alone.
func TestBodyRulesOfTheSidecar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		side := &fake{session: func(s liftv1.Lift_SessionServer) error {
			if _, err := s.Recv(); err != nil {
				return err
			}
			frames := []*liftv1.ServerFrame{{Kind: &liftv1.ServerFrame_Answer{Answer: &liftv1.Answer{Id: 1, Status: 200, BodySize: -1}}}}
			for range 5 {
				frames = append(frames, &liftv1.ServerFrame{Kind: &liftv1.ServerFrame_Data{Data: &liftv1.Data{Id: 1, Body: make([]byte, 16<<10)}}})
			}
			if err := s.Send(&liftv1.ServerFrames{Frames: frames}); err != nil {
				return err
			}
			m, err := s.Recv() // the client gives the call up
			if err != nil || m.GetFrames()[0].GetCancel() == nil {
				return context.Canceled
			}
			m, err = s.Recv()
			if err != nil {
				return err
			}
			_ = s.Send(&liftv1.ServerFrames{Frames: []*liftv1.ServerFrame{{Kind: &liftv1.ServerFrame_Answer{
				Answer: &liftv1.Answer{Id: m.GetFrames()[0].GetCall().GetId(), Status: 204, End: true},
			}}}})
			<-s.Context().Done()
			return nil
		}}
		cl := side.client(t, session.Options{})
		c := &lift.Call{Service: "orders"}
		resp, err := cl.Call(c)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // all five came before the first was read
		_, err = resp.Body.ReadAll(0)
		wantCode(t, err, lift.Internal, lift.Answered)
		resp, _, err = ask(cl, &lift.Call{Service: "orders"})
		if err != nil || resp.Status != 204 {
			t.Errorf("the next call: %v, %v", resp, err)
		}
	})
}

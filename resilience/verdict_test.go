package resilience_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

func TestVerdict(t *testing.T) {
	const nothing, well, suspect, unwell = resilience.Nothing, resilience.Well, resilience.Suspect, resilience.Unwell
	status := func(o lift.Outcome, code int) lift.AttemptRecord {
		return lift.AttemptRecord{Outcome: o, Status: code, Reached: lift.Answered}
	}
	grpc := func(o lift.Outcome, code string) lift.AttemptRecord {
		return lift.AttemptRecord{Outcome: o, Status: 200, GRPC: code, Reached: lift.Answered}
	}
	failed := func(code lift.Code, cause error) lift.AttemptRecord {
		return lift.AttemptRecord{Outcome: lift.Failed, Err: &lift.Error{Code: code, Err: cause}}
	}
	cut := func(took time.Duration) lift.AttemptRecord {
		at := newClock().now()
		end := at
		end.Wall = end.Wall.Add(took)
		return lift.AttemptRecord{Outcome: lift.CutShort, Began: at, Ended: end}
	}
	alive := resilience.Sight{Alive: true}
	for _, tt := range []struct {
		name  string
		a     lift.AttemptRecord
		seen  resilience.Sight
		want  resilience.Verdict
		count resilience.Verdict // where answers are counted
	}{
		{"200", status(lift.OK, 200), alive, well, well},
		{"404", status(lift.CallerFault, 404), alive, well, well},
		{"429", status(lift.Overloaded, 429), alive, suspect, suspect},
		{"500", status(lift.Failed, 500), alive, suspect, unwell},
		{"501", status(lift.CallerFault, 501), alive, suspect, suspect},
		{"502", status(lift.Failed, 502), alive, unwell, unwell},
		{"503", status(lift.Overloaded, 503), alive, unwell, unwell},
		{"504", status(lift.Failed, 504), alive, unwell, unwell},
		{"507", status(lift.Failed, 507), alive, suspect, unwell},
		{"UNKNOWN", grpc(lift.Failed, "2"), alive, suspect, unwell},
		{"DEADLINE_EXCEEDED", grpc(lift.Failed, "4"), alive, suspect, unwell},
		{"RESOURCE_EXHAUSTED", grpc(lift.Overloaded, "8"), alive, suspect, suspect},
		{"UNIMPLEMENTED", grpc(lift.CallerFault, "12"), alive, well, well},
		{"INTERNAL", grpc(lift.Failed, "13"), alive, suspect, unwell},
		{"UNAVAILABLE", grpc(lift.Failed, "14"), alive, unwell, unwell},
		{"a code that gRPC does not know", grpc(lift.Failed, "99"), alive, suspect, unwell},
		{"no grpc-status", grpc(lift.Failed, "none"), alive, unwell, unwell},
		{"refused", failed(lift.Unavailable, syscall.ECONNREFUSED), alive, unwell, unwell},
		{"garbage", failed(lift.BadResponse, errors.New("x")), alive, unwell, unwell},
		{"timed out, and silent", failed(lift.AttemptTimeout, errors.New("x")), resilience.Sight{}, unwell, unwell},
		{"timed out, and others were answered", failed(lift.AttemptTimeout, errors.New("x")), alive, suspect, suspect},
		{"canceled", lift.AttemptRecord{Outcome: lift.Canceled}, alive, nothing, nothing},
		{"straddled", lift.AttemptRecord{Outcome: lift.Straddled}, alive, nothing, nothing},
		{"cut short, nothing known", cut(time.Second), resilience.Sight{}, nothing, nothing},
		{"cut short before the others would answer", cut(time.Second), resilience.Sight{Elsewhere: 2 * time.Second}, nothing, nothing},
		{"cut short after the others would have answered", cut(time.Second), resilience.Sight{Elsewhere: 100 * time.Millisecond}, suspect, suspect},
		{"cut short at five times its usual time", cut(time.Second), resilience.Sight{Usual: 200 * time.Millisecond}, nothing, nothing},
		{"cut short far beyond its usual time", cut(time.Second), resilience.Sight{Usual: 50 * time.Millisecond}, unwell, unwell},
		{"the same while others were answered", cut(time.Second), resilience.Sight{Usual: 50 * time.Millisecond, Alive: true}, suspect, suspect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := resilience.Compare.Verdict(&tt.a, tt.seen); got != tt.want {
				t.Errorf("compare: %d, want %d", got, tt.want)
			}
			if got := resilience.Count.Verdict(&tt.a, tt.seen); got != tt.count {
				t.Errorf("count: %d, want %d", got, tt.count)
			}
		})
	}
}

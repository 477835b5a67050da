package lift_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/liftmesh/lift"
)

func TestCause(t *testing.T) {
	at := lift.Endpoint{Addr: "10.0.0.7:8443"}
	long := fmt.Errorf("10.0.0.7:8443: %s\nand\tmore", strings.Repeat("ä", 200))
	for _, tt := range []struct {
		a    lift.AttemptRecord
		want string
	}{
		{lift.AttemptRecord{}, ""},
		{lift.AttemptRecord{Outcome: lift.OK, Status: 200}, ""},
		{lift.AttemptRecord{Outcome: lift.CutShort, Err: lift.DeadlineExceeded}, "no answer within the caller's time"},
		{lift.AttemptRecord{Outcome: lift.Canceled}, "canceled"},
		{lift.AttemptRecord{Outcome: lift.Failed, Status: 503}, "status 503"},
		{lift.AttemptRecord{Outcome: lift.Failed, Status: 200, GRPC: "14"}, "grpc-status 14"},
		{lift.AttemptRecord{Outcome: lift.Failed, Status: 200, GRPC: "none"}, "an answer without a grpc-status"},
		{lift.AttemptRecord{Outcome: lift.Failed, Endpoint: at, Err: &lift.Error{Code: lift.Unavailable, Err: errors.New("10.0.0.7:8443: certificate is valid for b, not a")}}, "certificate is valid for b, not a"},
		{lift.AttemptRecord{Outcome: lift.Failed, Endpoint: at, Err: fmt.Errorf("10.0.0.7:8443: dial: %w", syscall.ECONNREFUSED)}, "connection refused"},
		{lift.AttemptRecord{Outcome: lift.Failed, Endpoint: at, Err: long}, strings.Repeat("ä", 100) + "..."},
	} {
		if got := tt.a.Cause(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// The causes of the earlier attempts stand in the text: the error's own is the last one's.
func TestErrorTellsEachCause(t *testing.T) {
	e := &lift.Error{Code: lift.Unavailable, Service: "orders", Err: errors.New("connection refused"), Attempts: []lift.AttemptRecord{
		{Endpoint: lift.Endpoint{Addr: "a:1"}, Outcome: lift.Failed, Err: errors.New("a:1: certificate is valid for b, not a")},
		{Endpoint: lift.Endpoint{Addr: "b:1"}, Outcome: lift.Overloaded, Status: 503},
		{Endpoint: lift.Endpoint{Addr: "c:1"}, Outcome: lift.Failed, Err: errors.New("connection refused")},
	}}
	want := "lift: orders: unavailable: connection refused [attempt 1 at a:1: failed (certificate is valid for b, not a) after 0s; " +
		"attempt 2 at b:1: overloaded 503 after 0s; attempt 3 at c:1: failed after 0s]"
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

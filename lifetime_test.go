package lift_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/liftmesh/lift"
)

func TestHoldAndEnd(t *testing.T) {
	var c lift.Call
	var order []int
	c.Hold(func() { order = append(order, 1) })
	c.Hold(func() { order = append(order, 2) })
	c.End()
	c.End()
	c.Hold(func() { order = append(order, 3) })
	if fmt.Sprint(order) != "[2 1 3]" {
		t.Errorf("order %v, want the last first, each once, and at once after the end", order)
	}
}

func TestCancel(t *testing.T) {
	var c lift.Call
	ran := 0
	stopped := c.OnCancel(func() { ran += 100 })
	c.OnCancel(func() { ran++ })
	if !stopped() || stopped() {
		t.Error("stop takes a hook back once")
	}
	first := errors.New("first")
	done := c.Done()
	c.Cancel(first)
	c.Cancel(errors.New("second"))
	<-done
	<-c.Done()
	c.OnCancel(func() { ran++ })
	if ran != 2 || !errors.Is(c.Err(), first) {
		t.Errorf("%d hooks ran, cause %v", ran, c.Err())
	}
	var early lift.Call
	early.Cancel(nil)
	<-early.Done()
	if !errors.Is(early.Err(), context.Canceled) {
		t.Errorf("no cause gives %v", early.Err())
	}
}

package socket

import (
	"context"
	"time"
)

// Until is how long a door is served: until ctx ends or done is closed, which is
// no error, or failed tells of one. Meanwhile it has the sockets looked after
// every so often; 0 is never. shut is called unless done says that the door is
// closed already.
func Until(ctx context.Context, every time.Duration, recheck, shut func(), done <-chan struct{}, failed <-chan error) error {
	var tick <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			shut()
			return nil
		case <-done:
			return nil
		case err := <-failed:
			shut()
			return err
		case <-tick:
			recheck()
		}
	}
}

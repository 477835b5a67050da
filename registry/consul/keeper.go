package consul

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift/registry"
)

// check is the TTL check that Lift keeps alive for an instance in Consul.
type check struct {
	id    string
	ttl   time.Duration // 0: there is none
	every time.Duration // between two signs of life
	probe probe         // nil: the check passes while this process lives
}

// leastTTL is longer than a busy agent, or a pause of this process, takes.
const leastTTL = 10 * time.Second

// checkOf returns the TTL check for i. Two signs of life may be lost before the
// instance counts as dead.
func checkOf(i *registry.Instance, dial dialer) check {
	w := i.Check.WithDefaults()
	c := check{id: "lift:" + i.ID}
	switch {
	case w.HTTP != "":
		c.probe = httpProbe{w.HTTP, w.Timeout, dial}
	case w.TCP != "":
		c.probe = tcpProbe{w.TCP, w.Timeout, dial}
	case w.TTL > 0:
		c.ttl, c.every = w.TTL, w.TTL/3
		return c
	default:
		c.every = registry.DefaultInterval
		return c
	}
	c.every = w.Interval
	c.ttl = max(3*w.Interval+w.Timeout, leastTTL)
	return c
}

// keeper keeps one announcement alive, in its own goroutine.
type keeper struct {
	client   *Client
	instance registry.Instance
	check    check
	log      *slog.Logger

	status  string // as last reported to Consul
	failing string // Consul's last error, "" if it succeeded

	stop context.CancelFunc
	done chan struct{}
}

func (c *Client) newKeeper(i registry.Instance, log *slog.Logger) *keeper {
	return &keeper{
		client: c, instance: i, check: checkOf(&i, c.probeDial),
		log: log.With("instance", i.ID, "service", i.Service, "address", i.Addr),
	}
}

func (k *keeper) start() {
	ctx, stop := context.WithCancel(context.Background())
	k.stop, k.done = stop, make(chan struct{})
	go func() {
		defer close(k.done)
		defer func() {
			if p := recover(); p != nil {
				k.log.Error("panic, contained; the instance is not kept up any more", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
		}()
		k.run(ctx)
	}()
}

func (k *keeper) end() {
	k.stop()
	<-k.done
}

// run sends signs of life until ctx ends.
func (k *keeper) run(ctx context.Context) {
	for k.rest(ctx) {
		status, output := k.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if status != k.status {
			k.turned(status, output)
		}
		limited, cancel := context.WithTimeout(ctx, readTimeout)
		err := k.tell(limited, status, output)
		if lost(err) {
			k.log.Warn("consul has lost the instance; announcing it again")
			err = k.put(limited, status)
		}
		cancel()
		if ctx.Err() == nil {
			k.heard(err)
		}
	}
}

// rest waits until the next sign is due, a tenth of the time at random. It reports false
// if ctx has ended.
func (k *keeper) rest(ctx context.Context) bool {
	d := k.check.every
	d -= time.Duration(float64(k.client.Rand()>>11) / (1 << 53) * float64(d/10))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// look checks whether the instance is healthy.
func (k *keeper) look(ctx context.Context) (status, output string) {
	if k.check.probe == nil {
		return api.HealthPassing, "Lift is alive"
	}
	output, err := k.check.probe.ask(ctx)
	if err != nil {
		return api.HealthCritical, err.Error()
	}
	return api.HealthPassing, output
}

// announce checks the instance, and announces it with the result.
func (k *keeper) announce(ctx context.Context) error {
	var output string
	k.status, output = k.look(ctx)
	if err := k.put(ctx, k.status); err != nil {
		return k.client.explain(err, fmt.Sprintf("service:write on %q", k.instance.Service))
	}
	k.log.Info("announced in Consul", "status", k.status, "output", output)
	return nil
}

func (k *keeper) put(ctx context.Context, status string) error {
	s, err := registration(&k.instance, k.check, status)
	if err != nil {
		return err
	}
	return k.client.api.Agent().ServiceRegisterOpts(s, api.ServiceRegisterOpts{ReplaceExistingChecks: true}.WithContext(ctx))
}

// tell sends one sign of life. If there is no check, it asks whether Consul still knows
// the instance.
func (k *keeper) tell(ctx context.Context, status, output string) error {
	q := (&api.QueryOptions{}).WithContext(ctx)
	if k.check.ttl == 0 {
		_, _, err := k.client.api.Agent().Service(k.instance.ID, q)
		return err
	}
	return k.client.api.Agent().UpdateTTLOpts(k.check.id, output, status, q)
}

// turned logs that the instance has become healthy or unhealthy.
func (k *keeper) turned(status, output string) {
	k.status = status
	if status == api.HealthPassing {
		k.log.Info("the instance is healthy again", "output", output)
		return
	}
	k.log.Warn("the instance is not healthy; Consul is informed", "output", output)
}

// heard logs Consul's answer when it has changed.
func (k *keeper) heard(err error) {
	if err == nil {
		if k.failing != "" {
			k.failing = ""
			k.log.Info("consul takes signs of life again")
		}
		return
	}
	said := k.client.explain(err, fmt.Sprintf("service:write on %q", k.instance.Service)).Error()
	if said != k.failing {
		k.failing = said
		k.log.Warn("consul does not take the instance's sign of life; trying again", "error", said)
	}
}

package consul

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// probe checks whether an instance is healthy.
type probe interface {
	// ask returns a line for people to read, or why the instance is not healthy.
	ask(ctx context.Context) (string, error)
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// tcpProbe passes if the instance accepts a connection.
type tcpProbe struct {
	addr    string
	timeout time.Duration
	dial    dialer
}

func (p tcpProbe) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	conn, err := p.dial(ctx, "tcp", p.addr)
	if err != nil {
		return "", late(ctx, p.timeout, err)
	}
	_ = conn.Close()
	return "tcp " + p.addr + " accepts connections", nil
}

// httpProbe passes if the status is 2xx. Each probe has its own connection, so that an
// old one that is still open does not count as a sign of life.
type httpProbe struct {
	url     string
	timeout time.Duration
	dial    dialer
}

func (p httpProbe) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "lift (health check)")
	t := &http.Transport{DialContext: p.dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req) // does not follow redirects: one is not a sign of life, and could lead to another host
	if err != nil {
		return "", late(ctx, p.timeout, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", fmt.Errorf("GET %s answers %d; want 2xx", p.url, resp.StatusCode)
	}
	return fmt.Sprintf("GET %s answers %d", p.url, resp.StatusCode), nil
}

// late adds the timeout to err if that was the cause.
func late(ctx context.Context, timeout time.Duration, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s: %w", timeout, err)
	}
	return err
}

package consul

import (
	"context"
	"net"
)

// LocalIP is the address by which others are likely to reach this machine: the one
// that it reaches Consul by, and where Consul is on the machine itself, the one
// that it reaches others by. It asks the system; nothing is sent.
func (c *Client) LocalIP(ctx context.Context) (net.IP, error) {
	if !c.Loopback() {
		if ip, err := localIP(ctx, c.at.host); err == nil && !ip.IsLoopback() {
			return ip, nil
		}
	}
	// Addresses for documentation (RFC 5737, RFC 3849): the way there is the way
	// to anybody.
	ip, err := localIP(ctx, "192.0.2.1:9")
	if err != nil {
		ip, err = localIP(ctx, "[2001:db8::1]:9")
	}
	return ip, err
}

func localIP(ctx context.Context, addr string) (net.IP, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP, nil
}

package consul

import (
	"context"
	"net"
)

// LocalIP returns the address at which others can probably reach this machine: the one
// from which it reaches Consul or, if Consul is on the machine itself, the one from
// which it reaches others. It asks the system and sends nothing.
func (c *Client) LocalIP(ctx context.Context) (net.IP, error) {
	if !c.Loopback() {
		if ip, err := localIP(ctx, c.at.host); err == nil && !ip.IsLoopback() {
			return ip, nil
		}
	}
	// Addresses for documentation (RFC 5737, RFC 3849): the route there is the route to
	// any other host.
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

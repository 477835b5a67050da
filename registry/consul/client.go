package consul

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift"
)

// Config is how a [Client] reaches Consul. A zero field means its default.
type Config struct {
	// Address is the address of an agent or a server: http://host:8500,
	// https://host:8501, unix:///path/of/a.sock, or host:port for HTTP. A path after
	// the host is put before the paths of Consul's API. Default http://127.0.0.1:8500.
	Address string
	// Token goes with each request.
	Token Token
	// TLS applies to https addresses.
	TLS TLS
	// Datacenter, Namespace and Partition apply to each [Source] that names no others.
	// Default: the agent's own. Only Consul Enterprise has the last two.
	Datacenter, Namespace, Partition string
	// Freezes says that the process may be frozen between two uses, as inside Lambda.
	// No query is then held open.
	Freezes bool
	// Wait is how long Consul may hold a blocking query. Default 5 min, Consul's own
	// default; at most 10 min.
	Wait time.Duration
	// Dial opens connections. Default: TCP or the unix socket, never a proxy.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now reads the clocks. Default [lift.Now].
	Now func() lift.Instant
	// Rand returns random bits; it must be safe for concurrent use. Default
	// [rand.Uint64].
	Rand func() uint64
}

const (
	// DefaultAddress is where an agent on the same machine listens.
	DefaultAddress = "http://127.0.0.1:8500"
	// defaultWait is Consul's own default for a blocking query.
	defaultWait = 5 * time.Minute
	// connectTimeout limits a TCP connect, and again the TLS handshake.
	connectTimeout = 3 * time.Second
	// idleTimeout closes a connection that no query uses.
	idleTimeout = time.Minute
	// maxHeader limits the head of an answer.
	maxHeader = 64 << 10
)

// Client reaches one Consul. The registries of all services and the registrar share it.
// Safe for concurrent use.
type Client struct {
	Config
	at        address
	api       *api.Client
	transport *http.Transport
	most      int // the largest answer, in bytes; tests set less
	probeDial dialer
}

// New returns a client. It opens nothing until it is used.
func New(c Config) (*Client, error) {
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	at, err := parseAddress(c.Address)
	if err != nil {
		return nil, err
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	if c.Now == nil {
		c.Now = lift.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
	client := &Client{Config: c, at: at, most: maxAnswer, probeDial: (&net.Dialer{}).DialContext}
	client.transport = &http.Transport{
		DialContext:            client.dial,
		DialTLSContext:         client.dialTLS,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// A connection that lives through a freeze cannot be trusted, and one connect
		// for a read every 30 s is cheap.
		DisableKeepAlives: c.Freezes,
	}
	client.api, err = api.NewClient(&api.Config{
		Address: at.host, Scheme: at.scheme, PathPrefix: at.prefix,
		Datacenter: c.Datacenter, Namespace: c.Namespace, Partition: c.Partition,
		HttpClient: &http.Client{Transport: &exchange{client}},
		// Any token, so that the library does not look for one by itself; exchange sets
		// the right one.
		Token: "unset",
	})
	if err != nil {
		return nil, err
	}
	return client, nil
}

// Loopback reports whether the address is one of this machine itself. Inside Lambda
// nothing listens there.
func (c *Client) Loopback() bool {
	if c.at.path != "" {
		return true
	}
	host, _, err := net.SplitHostPort(c.at.host)
	if err != nil {
		host = c.at.host
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.at.path != "" {
		network, addr = "unix", c.at.path
	}
	return c.Dial(ctx, network, addr)
}

// dialTLS reads the certificates for each connection, so that renewed ones take effect.
func (c *Client) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cfg, err := c.TLS.load(host)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

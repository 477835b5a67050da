package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	miekg "github.com/miekg/dns"
)

// udpSize is the largest answer that we take by UDP: one that passes every common path
// unfragmented. Larger ones come by TCP. Source: DNS flag day 2020.
const udpSize = 1232

// client asks servers. Safe for concurrent use.
type client struct {
	rand func() uint64

	mu   sync.Mutex
	good string // the server that answered last; it is asked first
}

// exchange asks the servers in turn until one gives a usable answer.
func (c *client) exchange(ctx context.Context, how conf, q question) (reply, error) {
	servers := c.order(how)
	faults := make([]string, len(servers))
	for range how.attempts {
		for i, server := range servers {
			got, err := c.try(ctx, how, server, q)
			if err == nil {
				c.mu.Lock()
				c.good = server
				c.mu.Unlock()
				return got, nil
			}
			if ctx.Err() != nil {
				return reply{}, ctx.Err()
			}
			if errors.Is(err, errLoop) {
				return reply{}, fmt.Errorf("DNS: %s: %w; fix the records", q, err)
			}
			faults[i] = server + ": " + err.Error()
		}
	}
	return reply{}, fmt.Errorf("DNS: no server answers %s: %s", q, strings.Join(faults, "; "))
}

// order returns the servers in the configured order, beginning with the one that
// answered last: a dead server costs its timeout once, not with every question.
func (c *client) order(how conf) []string {
	if len(how.servers) == 0 {
		return nil
	}
	c.mu.Lock()
	first := slices.Index(how.servers, c.good)
	c.mu.Unlock()
	if how.rotate {
		first = int(c.rand() % uint64(len(how.servers)))
	}
	first = max(first, 0)
	return slices.Concat(how.servers[first:], how.servers[:first])
}

// try asks one server: by UDP, by TCP if the answer was cut short, and without
// EDNS if the server does not know that.
func (c *client) try(ctx context.Context, how conf, server string, q question) (reply, error) {
	network := "udp"
	if how.tcp {
		network = "tcp"
	}
	edns := true
	for {
		m, err := c.send(ctx, how, network, server, q, edns)
		switch {
		case err != nil:
			return reply{}, err
		case m.Truncated && network == "udp":
			network = "tcp"
		case m.Truncated:
			return reply{}, errors.New("the answer is cut short, even by TCP")
		case edns && (m.Rcode == miekg.RcodeFormatError || m.Rcode == miekg.RcodeNotImplemented):
			edns = false
		case m.Rcode != miekg.RcodeSuccess && m.Rcode != miekg.RcodeNameError:
			return reply{}, errors.New(rcode(m.Rcode))
		case lame(m):
			return reply{}, errors.New("it only refers to other servers, and does not ask them")
		default:
			return read(q, m)
		}
	}
}

func rcode(code int) string {
	if s := miekg.RcodeToString[code]; s != "" {
		return s
	}
	return fmt.Sprintf("RCODE %d", code)
}

// lame reports whether m is a referral: no answer, and no word that there is none.
func lame(m *miekg.Msg) bool {
	if m.Rcode != miekg.RcodeSuccess || m.Authoritative || m.RecursionAvailable || len(m.Answer) > 0 {
		return false
	}
	_, said := negative(m.Ns)
	return !said && len(m.Ns) > 0
}

// send sends one question and waits for its answer. Replies with another ID or question,
// and garbage, are ignored: anybody can send a datagram.
func (c *client) send(ctx context.Context, how conf, network, server string, q question, edns bool) (*miekg.Msg, error) {
	out := &miekg.Msg{Question: []miekg.Question{{Name: q.name, Qtype: q.kind, Qclass: miekg.ClassINET}}}
	out.Id, out.RecursionDesired = uint16(c.rand()), true //nolint:gosec // any 16 bits
	if edns {
		out.SetEdns0(udpSize, false)
	}
	d := net.Dialer{Timeout: how.timeout}
	raw, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, brief(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(how.timeout))
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn := &miekg.Conn{Conn: raw, UDPSize: 4096} // some send more than they may
	if err := conn.WriteMsg(out); err != nil {
		return nil, brief(err)
	}
	for ignored := 0; ; ignored++ {
		text, err := conn.ReadMsgHeader(nil)
		if err != nil && !errors.Is(err, miekg.ErrShortRead) {
			err = brief(err)
			if ignored > 0 {
				err = fmt.Errorf("%w, and %d datagrams that answer something else", err, ignored)
			}
			return nil, err
		}
		if in := new(miekg.Msg); err == nil && in.Unpack(text) == nil && answers(in, out) {
			return in, nil
		}
		if network == "tcp" {
			return nil, errors.New("the reply over TCP does not answer the question")
		}
	}
}

// answers reports whether in is an answer to out. A server that could not read
// the question may leave it out.
func answers(in, out *miekg.Msg) bool {
	if in.Id != out.Id || !in.Response || in.Opcode != miekg.OpcodeQuery {
		return false
	}
	if len(in.Question) == 0 {
		return in.Rcode == miekg.RcodeFormatError || in.Rcode == miekg.RcodeNotImplemented
	}
	a, b := in.Question[0], out.Question[0]
	return len(in.Question) == 1 && a.Qtype == b.Qtype && a.Qclass == b.Qclass && same(a.Name, b.Name)
}

// brief shortens err: the caller names the addresses.
func brief(err error) error {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errors.New("no answer in time")
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}

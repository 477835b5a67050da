// Command upstream is an instance of a service for the end-to-end tests. It
// speaks what its flags say: HTTP/1.1, HTTP/2 or gRPC, in clear text or over
// TLS. Lines on its standard input tell it how to behave, each is answered by one
// line, and it ends when the input does.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	var s speech
	name := flag.String("name", "A", "what the instance calls itself")
	listen := flag.String("listen", "127.0.0.1:0", "where it serves")
	flag.StringVar(&s.protocols, "protocols", "http1", "what it speaks, with commas: http1, h2, h2c; or grpc alone")
	flag.StringVar(&s.cert, "cert", "", "PEM file of its certificate; with it, it speaks TLS")
	flag.StringVar(&s.key, "key", "", "PEM file of the certificate's key")
	flag.StringVar(&s.clientCA, "client-ca", "", "PEM file of the authority that clients' certificates must be from")
	flag.IntVar(&s.streams, "streams", 0, "most streams of one HTTP/2 connection at a time; 0 is the library's own")
	flag.Parse()
	if err := run(*name, *listen, s, os.Stdin, os.Stdout); err != nil {
		log.Fatalf("upstream %s: %v", *name, err)
	}
}

func run(name, listen string, s speech, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	i := &instance{name: name, status: http.StatusOK, gate: newGate(l), idle: map[string]bool{}, seen: map[string]int{}, speech: s}
	if err := i.serve(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, "listening"); err != nil {
		return err
	}
	orders := bufio.NewScanner(in)
	for orders.Scan() {
		answer, err := i.obey(strings.Fields(orders.Text()))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return orders.Err()
}

type instance struct {
	name   string
	speech speech
	gate   *gate
	server server // the one that takes new connections

	mu     sync.Mutex
	status int
	delay  time.Duration
	wrong  string
	idle   map[string]bool // connections that wait for a request, by the peer's address
	seen   map[string]int
}

// obey does what a line says and returns the answer to it.
func (i *instance) obey(words []string) (answer string, err error) {
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch strings.Join(words[:min(len(words), 1)], "") {
	case "status":
		i.status, err = strconv.Atoi(arg)
	case "delay":
		i.delay, err = time.ParseDuration(arg)
	case "misbehave":
		i.wrong = arg
	case "seen":
		return strconv.Itoa(i.seen[arg]), nil
	case "opened":
		return strconv.Itoa(i.gate.taken()), nil
	case "close-idle":
		n := len(i.idle)
		for peer := range i.idle {
			err = errors.Join(err, i.gate.hangUp(peer))
			delete(i.idle, peer)
		}
		return strconv.Itoa(n), err
	case "retire":
		old := i.server
		err = i.serve()
		go old.retire()
	default:
		err = fmt.Errorf("an unknown order: %q", words)
	}
	return "ok", err
}

// setIdle notes whether a connection waits for a request.
func (i *instance) setIdle(peer string, idle bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if idle {
		i.idle[peer] = true
		return
	}
	delete(i.idle, peer)
}

// manners are how a request is to be answered.
func (i *instance) manners(method string) (status int, delay time.Duration, wrong string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen[method]++
	return i.status, i.delay, i.wrong
}

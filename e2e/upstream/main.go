// Command upstream is an instance of a service for the end-to-end tests. Lines
// on its standard input tell it how to behave, each is answered by one line, and
// it ends when the input does.
package main

import (
	"bufio"
	"encoding/json"
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
	name := flag.String("name", "A", "what the instance calls itself")
	listen := flag.String("listen", "127.0.0.1:0", "where it serves")
	flag.Parse()
	if err := run(*name, *listen, os.Stdin, os.Stdout); err != nil {
		log.Fatalf("upstream %s: %v", *name, err)
	}
}

func run(name, listen string, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	i := &instance{name: name, status: http.StatusOK, idle: map[net.Conn]bool{}, seen: map[string]int{}}
	failed := make(chan error, 1)
	go func() {
		failed <- (&http.Server{Handler: i, ConnState: i.note, ReadHeaderTimeout: time.Hour}).Serve(l)
	}()
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
		select {
		case err := <-failed:
			return err
		default:
		}
	}
	return orders.Err()
}

type instance struct {
	name string

	mu     sync.Mutex
	status int
	delay  time.Duration
	wrong  string
	idle   map[net.Conn]bool
	seen   map[string]int
}

// obey does what a line says and returns the answer to it.
func (i *instance) obey(words []string) (answer string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	switch strings.Join(words[:min(len(words), 1)], "") {
	case "status":
		i.status, err = strconv.Atoi(arg)
	case "delay":
		i.delay, err = time.ParseDuration(arg)
	case "misbehave":
		i.wrong = arg
	case "seen":
		return strconv.Itoa(i.seen[arg]), nil
	case "close-idle":
		n := len(i.idle)
		for c := range i.idle {
			err = errors.Join(err, c.Close())
			delete(i.idle, c)
		}
		return strconv.Itoa(n), err
	default:
		err = fmt.Errorf("an unknown order: %q", words)
	}
	return "ok", err
}

func (i *instance) note(c net.Conn, s http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s == http.StateIdle {
		i.idle[c] = true
		return
	}
	delete(i.idle, c)
}

// ServeHTTP implements http.Handler.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.seen[r.Method]++
	status, delay, wrong := i.status, i.delay, i.wrong
	i.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	asked := r.URL.Query()
	if d, err := time.ParseDuration(asked.Get("sleep")); err == nil {
		delay = d
	}
	if n, err := strconv.Atoi(asked.Get("status")); err == nil {
		status = n
	}
	time.Sleep(delay)
	if wrong != "" {
		misbehave(w, wrong)
		return
	}
	if n, err := strconv.Atoi(asked.Get("size")); err == nil {
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.WriteHeader(status)
		_, _ = io.CopyN(w, endless{}, int64(n)) // the caller may have gone
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	content, err := json.Marshal(map[string]string{"instance": i.name, "method": r.Method, "body": string(body)})
	if err == nil {
		_, _ = w.Write(content) // likewise
	}
}

// misbehave answers wrongly and hangs up.
func misbehave(w http.ResponseWriter, how string) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	switch how {
	case "garbage":
		_, _ = buffered.WriteString("\x16\x03\x01 this is no HTTP at all\r\n\r\n")
	case "half":
		_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it")
	case "endless":
		_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = buffered.WriteString("X-More: " + strings.Repeat("x", 1000) + "\r\n")
		}
	}
	_ = buffered.Flush()
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// speech is what an instance speaks.
type speech struct {
	protocols, cert, key, clientCA string
	streams                        int
}

// server serves a listener and can be retired: it takes nothing new, tells its
// peers so (GOAWAY, Connection: close), and ends when what runs has ended.
type server interface {
	serve(net.Listener) error
	retire()
}

// serve starts a server, which takes all connections from now on.
func (i *instance) serve() error {
	settings, err := i.speech.tls()
	if err != nil {
		return err
	}
	if i.speech.protocols == "grpc" {
		i.server = i.grpcServer(settings)
	} else if i.server, err = i.httpServer(settings); err != nil {
		return err
	}
	s := i.server
	go func() {
		if err := s.serve(i.gate.listen()); err != nil {
			log.Printf("upstream %s: %v", i.name, err)
		}
	}()
	return nil
}

// tls is nil for clear text.
func (s speech) tls() (*tls.Config, error) {
	if s.cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if s.clientCA == "" {
		return c, nil
	}
	authority, err := os.ReadFile(s.clientCA)
	if err != nil {
		return nil, err
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", s.clientCA)
	}
	return c, nil
}

type httpServer struct{ *http.Server }

func (i *instance) httpServer(settings *tls.Config) (server, error) {
	s := &http.Server{
		Handler: i, ConnState: i.noteState, ReadHeaderTimeout: time.Hour, TLSConfig: settings,
		Protocols: &http.Protocols{}, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: i.speech.streams},
	}
	for p := range strings.SplitSeq(i.speech.protocols, ",") {
		switch p {
		case "http1":
			s.Protocols.SetHTTP1(true)
		case "h2":
			s.Protocols.SetHTTP2(true)
		case "h2c":
			s.Protocols.SetUnencryptedHTTP2(true)
		default:
			return nil, fmt.Errorf("-protocols: %q is not one", p)
		}
	}
	return httpServer{s}, nil
}

func (s httpServer) serve(l net.Listener) error {
	if s.TLSConfig != nil {
		return hush(s.ServeTLS(l, "", ""), http.ErrServerClosed)
	}
	return hush(s.Serve(l), http.ErrServerClosed)
}

func (s httpServer) retire() { _ = s.Shutdown(context.Background()) }

type grpcServer struct{ *grpc.Server }

func (i *instance) grpcServer(settings *tls.Config) server {
	opts := []grpc.ServerOption{grpc.StatsHandler(idleWatch{i})}
	if settings != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(settings)))
	}
	if i.speech.streams > 0 {
		opts = append(opts, grpc.MaxConcurrentStreams(uint32(i.speech.streams))) //nolint:gosec // a small number of the tests
	}
	s := grpc.NewServer(opts...)
	register(s, i)
	return grpcServer{s}
}

func (s grpcServer) serve(l net.Listener) error { return hush(s.Serve(l), grpc.ErrServerStopped) }

func (s grpcServer) retire() { s.GracefulStop() }

// hush is err, unless it says no more than that the server was ended.
func hush(err, ended error) error {
	if err == ended { //nolint:errorlint // both libraries return it as it is
		return nil
	}
	return err
}

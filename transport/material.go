package transport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

const (
	// maxPEM is the largest file of certificates that is read: the system's, with all
	// the authorities there are, have 0.2 MiB.
	maxPEM = 4 << 20
	// sessionsKept is for how many endpoints of a service a session is kept, about
	// 2 KiB each.
	sessionsKept = 256
)

// FileError is a file that TLS cannot use.
type FileError struct {
	Path string
	// Err says what is wrong with it and what would put it right.
	Err error
}

// Error is one line.
func (e *FileError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// material is what the files of a [TLS] held when they were read, and what rests
// on them: a session is one of the certificate that it was opened with.
type material struct {
	stamps   stamps
	roots    *x509.CertPool   // nil: the system's
	pair     *tls.Certificate // nil: none
	expiry   []Certificate
	sessions tls.ClientSessionCache
}

func load(ca []string, cert, key string) (*material, error) {
	m := &material{sessions: tls.NewLRUClientSessionCache(sessionsKept)}
	for i, path := range ca {
		if i == 0 {
			m.roots = x509.NewCertPool()
		}
		text, err := readPEM(path)
		if err != nil {
			return nil, err
		}
		all, err := addCertificates(m.roots, text)
		if err != nil {
			return nil, &FileError{path, err}
		}
		m.expiry = append(m.expiry, lastOf(path, all))
	}
	if cert == "" && key == "" {
		return m, nil
	}
	chain, err := readPEM(cert)
	if err != nil {
		return nil, err
	}
	secret, err := readPEM(key)
	if err != nil {
		return nil, err
	}
	all, err := addCertificates(x509.NewCertPool(), chain)
	if err != nil {
		return nil, &FileError{cert, err}
	}
	m.expiry = append(m.expiry, firstOf(cert, all))
	if !hasBlock(secret, "PRIVATE KEY") {
		return nil, &FileError{key, errors.New("it holds no private key; want one in PEM, not encrypted (-----BEGIN PRIVATE KEY-----)")}
	}
	pair, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return nil, &FileError{key, fmt.Errorf("the key is not that of the first certificate in %s, or cannot be read (%w); want the two that were issued together", cert, err)}
	}
	m.pair = &pair
	return m, nil
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer func() { _ = f.Close() }() // only read
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, &FileError{path, errors.New("it is no regular file; want a file in PEM")}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if len(text) > maxPEM {
		return nil, &FileError{path, errors.New("it is over 4 MiB; want certificates alone")}
	}
	return text, nil
}

// fileError leaves out the path, which the error says already.
func fileError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &FileError{path, errors.New("there is no such file; is it in the package, and is its path right?")}
	}
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return &FileError{path, fmt.Errorf("it cannot be read: %w", err)}
}

// addCertificates adds every certificate of a PEM text and returns them all. There
// has to be one at least.
func addCertificates(pool *x509.CertPool, text []byte) (all []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in it cannot be read: %w", len(all)+1, err)
		}
		pool.AddCert(c)
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no certificate; want PEM (-----BEGIN CERTIFICATE-----)")
	}
	return all, nil
}

// hasBlock reports whether a PEM text has a block whose type ends so.
func hasBlock(text []byte, ending string) bool {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return false
		}
		if n := len(block.Type) - len(ending); n >= 0 && block.Type[n:] == ending && block.Type != "ENCRYPTED "+ending {
			return true
		}
	}
}

// stamp tells one state of a file from another; the zero one is of a file that
// cannot be looked at.
type stamp struct {
	changed time.Time
	size    int64
	file    fs.FileInfo
}

type stamps []stamp

func stampsOf(paths []string) stamps {
	s := make(stamps, len(paths))
	for i, path := range paths {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			s[i] = stamp{info.ModTime(), info.Size(), info}
		}
	}
	return s
}

// equal reports whether the files are the same and unchanged. A file put in
// another's place is another file, whatever its times.
func (s stamps) equal(o stamps) bool {
	return slices.EqualFunc(s, o, func(a, b stamp) bool {
		return a.changed.Equal(b.changed) && a.size == b.size && (a.file == nil) == (b.file == nil) && (a.file == nil || os.SameFile(a.file, b.file))
	})
}

package sigv4

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
)

// fetched is a source whose endpoint a test moves. Time is the bubble's, and what
// frozen adds to the wall.
type fetched struct {
	*Source
	asked  atomic.Int32
	answer func() (Credentials, error)
	frozen atomic.Int64
}

func newFetched(answer func() (Credentials, error)) *fetched {
	f := &fetched{answer: answer}
	f.Source = NewSource(SourceOptions{Lookup: env(fullURI, "http://127.0.0.1/"), Now: f.now})
	f.fetch = func(ctx context.Context) (Credentials, error) {
		f.asked.Add(1)
		t := time.NewTimer(time.Second)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return Credentials{}, context.Cause(ctx)
		}
		return f.answer()
	}
	return f
}

func (f *fetched) now() lift.Instant {
	i := lift.Now()
	i.Wall = i.Wall.Add(time.Duration(f.frozen.Load()))
	return i
}

func (f *fetched) hours(n int) (Credentials, error) {
	return Credentials{KeyID: "A", Secret: "s", Expires: f.now().Wall.Add(time.Duration(n) * time.Hour)}, nil
}

func TestOneRenewalForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fetched
		f = newFetched(func() (Credentials, error) { return f.hours(1) })
		errs := make(chan error, 20)
		for range 20 {
			go func() { _, err := f.Credentials(t.Context()); errs <- err }()
		}
		for range 20 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := f.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Near their end they are renewed beside the call, which does not wait; beyond it,
// and be it by a freeze, it does.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fetched
		f = newFetched(func() (Credentials, error) { return f.hours(1) })
		use := func(cost time.Duration, asked int32) {
			t.Helper()
			began := time.Now()
			if _, err := f.Credentials(t.Context()); err != nil || time.Since(began) != cost {
				t.Errorf("%v after %s, want %s", err, time.Since(began), cost)
			}
			synctest.Wait()
			if n := f.asked.Load(); n != asked {
				t.Errorf("asked %d times, want %d", n, asked)
			}
		}
		use(time.Second, 1)
		time.Sleep(54 * time.Minute)
		use(0, 1)
		time.Sleep(2 * time.Minute)
		use(0, 2) // beside the call
		time.Sleep(2 * time.Second)
		use(0, 2)
		f.frozen.Add(int64(7 * time.Hour)) // the monotonic clock stood still
		use(time.Second, 3)
		f.refused(f.now())
		use(time.Second, 4)
		f.refused(lift.Instant{Wall: f.now().Wall.Add(-time.Minute)}) // of those before
		use(0, 4)
	})
}

// While renewing fails, the last ones serve until they expire, and the endpoint is
// asked at most every ten seconds; then the error says since when and why.
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fetched
		broken := errors.New("503 of the endpoint")
		f = newFetched(func() (Credentials, error) {
			if f.asked.Load() == 1 {
				return f.hours(1)
			}
			return Credentials{}, broken
		})
		if _, err := f.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(56 * time.Minute)
		for range 30 {
			if _, err := f.Credentials(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := f.asked.Load(); n < 3 || n > 4 {
			t.Errorf("asked %d times in 30 s", n-1)
		}
		time.Sleep(4 * time.Minute)
		_, err := f.Credentials(t.Context())
		if !errors.Is(err, lift.Misconfigured) || !errors.Is(err, broken) || !strings.Contains(err.Error(), "the credentials expired at 2000-01-01T01:00:01Z and cannot be renewed") {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := f.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
}

func TestNeverAnyCredentials(t *testing.T) {
	for says, answer := range map[string]func() (Credentials, error){
		"there are no credentials: gone": func() (Credentials, error) { return Credentials{}, errors.New("gone") },
		"a bug in Lift, contained":       func() (Credentials, error) { panic("boom") },
		"expired at 1999-12-31T00:00:00Z": func() (Credentials, error) {
			return Credentials{KeyID: "A", Expires: time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)}, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			if _, err := newFetched(answer).Credentials(t.Context()); !errors.Is(err, lift.Misconfigured) || !strings.Contains(err.Error(), says) {
				t.Errorf("%v, want %q", err, says)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // it hangs
		f := newFetched(nil)
		f.fetch = func(ctx context.Context) (Credentials, error) {
			<-ctx.Done()
			return Credentials{}, context.Cause(ctx)
		}
		if _, err := f.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer within 5s") {
			t.Error(err)
		}
	})
}

func TestContainer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, answer, token := 200, "", ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	const good = `{"AccessKeyId":"AKID","SecretAccessKey":"hunter2","Token":"t","Expiration":"2030-01-02T03:04:05Z"}`
	for _, tt := range []struct {
		status      int
		answer      string
		env         []string
		token, says string
	}{
		{200, good, nil, "", ""},
		{200, good, []string{bearer, "secret"}, "secret", ""},
		{200, good, []string{bearer, "secret", bearerFile, file}, "from the file", ""},
		{200, good, []string{bearerFile, file + "none"}, "", "no such file"},
		{200, good, []string{bearer, "a\r\nb"}, "", "more than one line"},
		{200, good, []string{fullURI, server.URL + "/away"}, "", "answers 302"},
		{200, good, []string{fullURI, "http://10.0.0.1/"}, "", "without TLS"},
		{200, good, []string{fullURI, "http://evil.example/"}, "", "without TLS"},
		{200, good, []string{fullURI, "file:///etc/passwd"}, "", "not an http or https URL"},
		{200, good, []string{relativeURI, "x"}, "", "begin with a slash"},
		{500, good, nil, "", "answers 500"},
		{200, `{"SecretAccessKey":"hunter2"}`, nil, "", "no AccessKeyId"},
		{200, `"hunter2`, nil, "", "not the expected JSON"},
		{200, strings.Replace(good, "2030", "hunter2", 1), nil, "", "not an RFC 3339"},
		{200, strings.Replace(good, `"t"`, `"t\n"`, 1), nil, "", "a header cannot contain"},
		{200, good + strings.Repeat(" ", maxAnswer), nil, "", "more than 64 KiB"},
	} {
		status, answer, token = tt.status, tt.answer, ""
		c, err := NewSource(SourceOptions{Lookup: env(append(tt.env, fullURI, server.URL+"/creds?secret=hunter2")...)}).Credentials(t.Context())
		if tt.says == "" && (err != nil || c.Secret != "hunter2" || c.Token != "t" || c.Expires.Year() != 2030) || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%q %v: %v, %v; want %q", tt.answer[:min(len(tt.answer), 90)], tt.env, c, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") || tt.says == "" && token != tt.token {
			t.Errorf("%v, token %q", err, token)
		}
	}
	server.Close()
	_, err := NewSource(SourceOptions{Lookup: env(fullURI, server.URL+"/?hunter2")}).Credentials(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(`{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"accesskeyid":"A"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseCredentials(text)
		if err == nil && (c.KeyID == "" || c.Secret == "" || strings.ContainsAny(c.KeyID+c.Secret+c.Token, "\r\n\x00")) {
			t.Errorf("%q is taken for %#v", text, c)
		}
	})
}

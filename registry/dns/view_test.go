package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	miekg "github.com/miekg/dns"
)

// said is how a question is answered.
type said struct {
	after time.Duration
	ttl   time.Duration // 0: an hour
	addrs string        // "" none
	srv   []target
	nx    bool
	err   error
	panic bool
}

// script is a registry whose questions are answered as scripted, in a bubble.
type script struct {
	*Registry
	mu      sync.Mutex
	answers map[string]said
	asked   map[string]int
	now     int // being asked
	most    int
	told    []string
}

func newScript(kind Type, answers map[string]said) *script {
	s := &script{answers: answers, asked: map[string]int{}}
	s.Registry = New(Config{Type: kind, Port: 80, Servers: []string{"192.0.2.1:53"}, Rand: allOnes, Reachable: func(netip.Addr) bool { return true }})
	s.exchange = func(ctx context.Context, _ conf, q question) (reply, error) {
		s.mu.Lock()
		a, ok := s.answers[q.String()]
		s.asked[q.String()]++
		s.now++
		s.most = max(s.most, s.now)
		s.mu.Unlock()
		defer func() { s.mu.Lock(); s.now--; s.mu.Unlock() }()
		if !ok {
			a.nx = true
		}
		if a.after > 0 {
			select {
			case <-time.After(a.after):
			case <-ctx.Done():
				return reply{}, ctx.Err()
			}
		}
		switch {
		case a.panic:
			panic("boom")
		case a.err != nil:
			return reply{}, a.err
		}
		if a.ttl == 0 {
			a.ttl = time.Hour
		}
		r := reply{ttl: a.ttl, targets: a.srv, nobody: a.nx}
		for addr := range strings.FieldsSeq(a.addrs) {
			r.addrs = append(r.addrs, netip.MustParseAddr(addr))
		}
		r.none = len(r.addrs)+len(r.targets) == 0
		return r, nil
	}
	return s
}

func (s *script) say(q string, a said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[q] = a
}

// watch notes what is told, and when.
func (s *script) watch(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	began, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		for set, err := range s.Watch(ctx, "o.") {
			what := "error"
			if err == nil {
				what = ""
				for _, ep := range set {
					what += fmt.Sprintf(" %s*%d", strings.TrimSuffix(ep.Addr, ":80"), ep.Weight)
				}
			}
			s.mu.Lock()
			s.told = append(s.told, fmt.Sprintf("%s:%s", time.Since(began), what))
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (s *script) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(s.told, "\n"), strings.Join(want, "\n"))
	}
}

var errServfail = errors.New("SERVFAIL")

// What is told of a name within a minute.
func TestFamilies(t *testing.T) {
	const ms = time.Millisecond
	v4, v6 := "10.0.0.1", "fd00::1"
	for name, tt := range map[string]struct {
		kind    Type
		answers map[string]said
		told    []string
	}{
		"both at once":             {"", map[string]said{"A o.": {addrs: v4}, "AAAA o.": {addrs: v6}}, []string{"0s: 10.0.0.1*0 [fd00::1]*0"}},
		"side by side":             {"", map[string]said{"A o.": {addrs: v4, after: 300 * ms}, "AAAA o.": {addrs: v6, after: 310 * ms}}, []string{"310ms: 10.0.0.1*0 [fd00::1]*0"}},
		"AAAA within the wait":     {"", map[string]said{"A o.": {addrs: v4}, "AAAA o.": {addrs: v6, after: 40 * ms}}, []string{"40ms: 10.0.0.1*0 [fd00::1]*0"}},
		"AAAA late":                {"", map[string]said{"A o.": {addrs: v4}, "AAAA o.": {addrs: v6, after: 3000 * ms}}, []string{"50ms: 10.0.0.1*0", "3s: 10.0.0.1*0 [fd00::1]*0"}},
		"A late":                   {"", map[string]said{"A o.": {addrs: v4, after: 3000 * ms}, "AAAA o.": {addrs: v6}}, []string{"50ms: [fd00::1]*0", "3s: 10.0.0.1*0 [fd00::1]*0"}},
		"AAAA late, and none":      {"", map[string]said{"A o.": {addrs: v4}, "AAAA o.": {after: 3000 * ms}}, []string{"50ms: 10.0.0.1*0"}},
		"AAAA late, older than it": {"", map[string]said{"A o.": {addrs: v4}, "AAAA o.": {addrs: v6, ttl: 1, after: 3000 * ms}}, []string{"50ms: 10.0.0.1*0", "3s: 10.0.0.1*0 [fd00::1]*0"}},
		"A fails":                  {"", map[string]said{"A o.": {err: errServfail}, "AAAA o.": {addrs: v6, after: 10 * ms}}, []string{"10ms: [fd00::1]*0"}},
		"AAAA fails":               {"", map[string]said{"A o.": {addrs: v4, after: 10 * ms}, "AAAA o.": {err: errServfail}}, []string{"10ms: 10.0.0.1*0"}},
		"A silent":                 {"", map[string]said{"A o.": {err: errServfail, after: 4000 * ms}, "AAAA o.": {addrs: v6}}, []string{"50ms: [fd00::1]*0"}},
		"A panics":                 {"", map[string]said{"A o.": {panic: true}, "AAAA o.": {addrs: v6}}, []string{"0s: [fd00::1]*0"}},
		"only AAAA, A slow":        {"", map[string]said{"A o.": {after: 500 * ms}, "AAAA o.": {addrs: v6, after: 700 * ms}}, []string{"700ms: [fd00::1]*0"}},
		"no such name, AAAA hangs": {"", map[string]said{"AAAA o.": {err: errServfail, after: 4000 * ms}}, []string{"0s:"}},
		"AAAA says no such name":   {"", map[string]said{"A o.": {addrs: v4, after: 500 * ms}, "AAAA o.": {nx: true}}, []string{"500ms: 10.0.0.1*0"}},
		"A says no such name":      {"", map[string]said{"A o.": {nx: true, after: 500 * ms}, "AAAA o.": {addrs: v6}}, []string{"50ms: [fd00::1]*0"}},

		"SRV": {Service, map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 1, 3}}}, "A a.": {addrs: v4}, "A b.": {addrs: "10.0.0.2"}}, []string{"0s: 10.0.0.1*2 10.0.0.2*3"}},
		"SRV, a target fails": {Service, map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 1, 3}}}, "A a.": {err: errServfail}, "AAAA a.": {err: errServfail}, "A b.": {addrs: "10.0.0.2"}},
			[]string{"0s: 10.0.0.2*3"}},
		"SRV, a target is late": {Service, map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 1, 3}}}, "A a.": {addrs: v4, after: 3000 * ms}, "A b.": {addrs: "10.0.0.2"}},
			[]string{"50ms: 10.0.0.2*3", "3s: 10.0.0.1*2 10.0.0.2*3"}},
		"SRV, a target's family is late": {Service, map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 4}}}, "A a.": {addrs: v4}, "AAAA a.": {addrs: v6, after: 3000 * ms}},
			[]string{"50ms: 10.0.0.1*4", "3s: 10.0.0.1*2 [fd00::1]*2"}},
		"SRV, the preferred one fails": {Service, map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 2, 3}}}, "A a.": {err: errServfail}, "AAAA a.": {}, "A b.": {addrs: "10.0.0.2"}},
			[]string{"0s: 10.0.0.2*3"}},
		"SRV, the preferred one is late": {Service, map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 2, 3}}}, "A a.": {addrs: v4, after: 3000 * ms}, "A b.": {addrs: "10.0.0.2"}},
			[]string{"3s: 10.0.0.1*2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(tt.kind, tt.answers)
				s.watch(t)
				time.Sleep(time.Minute)
				s.want(t, tt.told...)
				s.mu.Lock()
				defer s.mu.Unlock()
				for q, n := range s.asked {
					if n > 8 && tt.answers[q].ttl == 0 {
						t.Errorf("%s was asked %d times in a minute", q, n)
					}
				}
			})
		})
	}
}

// While a family or a target cannot be asked anew, its addresses stay.
func TestWhatIsKnownStays(t *testing.T) {
	for _, a := range []said{{err: errServfail}, {err: errServfail, after: 4 * time.Second}, {after: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(Service, map[string]said{
				"SRV o.": {ttl: 30 * time.Second, srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 1, 2}}},
				"A a.":   {ttl: 10 * time.Second, addrs: "10.0.0.1"}, "AAAA a.": {ttl: 10 * time.Second, addrs: "fd00::1"},
				"A b.": {ttl: 10 * time.Second, addrs: "10.0.0.2"}, "AAAA b.": {ttl: 10 * time.Second},
			})
			s.watch(t)
			first := "0s: 10.0.0.1*1 10.0.0.2*2 [fd00::1]*1"
			s.want(t, first)
			s.say("AAAA a.", a) // a family
			time.Sleep(5 * time.Minute)
			s.want(t, first)
			s.say("A a.", a) // the whole target
			time.Sleep(5 * time.Minute)
			s.want(t, first)
			if s.say("A a.", said{addrs: "10.0.0.9"}); a.after < time.Hour { // it is asked again in time
				time.Sleep(35 * time.Second)
				synctest.Wait()
				if n := len(s.told); n != 2 || !strings.HasSuffix(s.told[1], ": 10.0.0.2*2 10.0.0.9*1 [fd00::1]*1") {
					t.Errorf("told %q", s.told)
				}
			}
		})
	}
}

// An outage ends with an answer that gives addresses, not with a question that is
// still open while the old addresses are known.
func TestAnOpenQuestionIsNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript("", map[string]said{"A o.": {ttl: 10 * time.Second, addrs: "10.0.0.1"}, "AAAA o.": {ttl: 10 * time.Second}})
		s.watch(t)
		synctest.Wait()
		s.say("A o.", said{err: errServfail})
		s.say("AAAA o.", said{err: errServfail, after: 2 * time.Second})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.told[0] != "0s: 10.0.0.1*0" || s.told[1] != "12s:error" || slices.ContainsFunc(s.told[1:], func(one string) bool { return !strings.HasSuffix(one, "error") }) {
			t.Errorf("told %q", s.told)
		}
	})
}

// Many targets are asked side by side, within a bound, and each once.
func TestManyTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := map[string]said{}
		var targets []target
		for i := range 100 {
			name := fmt.Sprintf("h%d.", i)
			targets = append(targets, target{name, 80, 1, 1})
			answers[miekg.TypeToString[miekg.TypeA]+" "+name] = said{addrs: fmt.Sprintf("10.0.0.%d", i+1), after: 10 * time.Millisecond}
			answers["AAAA "+name] = said{after: 10 * time.Millisecond}
		}
		answers["SRV o."] = said{srv: targets}
		s := newScript(Service, answers)
		s.watch(t)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if last := s.told[len(s.told)-1]; strings.Count(last, "*") != 100 || !strings.HasPrefix(last, "130ms:") {
			t.Errorf("told %d sets, the last %q", len(s.told), last)
		}
		if len(s.told) > 3 || s.most != maxAsking {
			t.Errorf("told %d sets; %d questions at a time", len(s.told), s.most)
		}
		for q, n := range s.asked {
			if n > 1 && !strings.HasPrefix(q, "AAAA") {
				t.Errorf("%s was asked %d times", q, n)
			}
		}
	})
}

// A watch that ends leaves nothing behind, whatever is still being asked.
func TestWatchEndsWhileAFamilyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript("", map[string]said{"A o.": {addrs: "10.0.0.1"}, "AAAA o.": {after: time.Hour}})
		for set, err := range s.Watch(t.Context(), "o.") {
			if err != nil || len(set) != 1 {
				t.Errorf("told %v, %v", set, err)
			}
			break
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.now != 0 {
			t.Error("a question is still being asked")
		}
	})
}

// The sets in the end do not depend on the order of answers.
func TestOrderOfAnswersMakesNoDifference(t *testing.T) {
	questions := []string{"A a.", "AAAA a.", "A b.", "AAAA b."}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}} {
		synctest.Test(t, func(t *testing.T) {
			answers := map[string]said{"SRV o.": {srv: []target{{"a.", 80, 1, 2}, {"b.", 80, 1, 2}}}}
			for i, addrs := range []string{"10.0.0.1", "fd00::1", "10.0.0.2", ""} {
				answers[questions[i]] = said{addrs: addrs, after: time.Duration(1+order[i]) * time.Second, err: map[bool]error{true: errServfail}[i == 3]}
			}
			s := newScript(Service, answers)
			s.watch(t)
			time.Sleep(time.Minute)
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if last := s.told[len(s.told)-1]; !strings.HasSuffix(last, ": 10.0.0.1*1 10.0.0.2*2 [fd00::1]*1") {
				t.Errorf("%v: told %q", order, s.told)
			}
		})
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/liftmesh/lift"
)

// watch looks and shows at every interval until ctx ends, which is the ordinary
// end and no failure. A look that fails is shown, and the next one made in time.
func watch(ctx context.Context, every time.Duration, look func(context.Context) ([]lift.ServiceStatus, error), show func([]lift.ServiceStatus, error) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		all, err := look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := show(all, err); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// shower returns the function that shows one look after the other. stale is asked at
// each look whether the last reload was refused.
func (f *servicesFlags) shower(s streams, stale func() string) func([]lift.ServiceStatus, error) error {
	t := terminalOf(s.out)
	switch {
	case f.json:
		return aside(s.err, stale, jsonLines(s.out))
	case t.rows > 0:
		_, _ = io.WriteString(s.out, "\x1b[2J")
		var r rates
		return func(all []lift.ServiceStatus, err error) error {
			t := terminalOf(s.out) // it may have been resized
			var b bytes.Buffer
			if text := stale(); text != "" {
				b.WriteString(fold(text, 2) + "\n")
			}
			if err := r.picture(&b, time.Now(), all, err, t.paint); err != nil {
				return err
			}
			_, err = io.WriteString(s.out, t.redraw(b.String()))
			return err
		}
	default:
		return aside(s.err, stale, changeLines(s.out))
	}
}

// aside writes to w what stale says, whenever that changes, before it shows.
func aside(w io.Writer, stale func() string, show func([]lift.ServiceStatus, error) error) func([]lift.ServiceStatus, error) error {
	said := ""
	return func(all []lift.ServiceStatus, err error) error {
		if text := stale(); text != said {
			said = text
			if text != "" {
				_, _ = fmt.Fprintln(w, "lift: "+text)
			}
		}
		return show(all, err)
	}
}

// jsonLines writes each look as one line: the array of `lift services --json`,
// or an object with the error.
func jsonLines(w io.Writer) func([]lift.ServiceStatus, error) error {
	return func(all []lift.ServiceStatus, err error) error {
		if err != nil {
			return json.NewEncoder(w).Encode(map[string]*errorJSON{"error": failureJSON(err)})
		}
		return json.NewEncoder(w).Encode(servicesJSON(all))
	}
}

// changeLines writes a line for each change since the last look: the time, the
// service, the endpoint and its state. At the first look everything is new.
func changeLines(w io.Writer) func([]lift.ServiceStatus, error) error {
	var before map[string]string
	failed := ""
	return func(all []lift.ServiceStatus, err error) error {
		now := time.Now().UTC().Format(time.RFC3339)
		if err != nil {
			if text := clean(withoutPrefix(err)); text != failed {
				failed = text
				_, err := fmt.Fprintf(w, "%s lift: %s\n", now, text)
				return err
			}
			return nil
		}
		failed = ""
		after := states(all)
		for _, key := range slices.Sorted(maps.Keys(after)) {
			if old, known := before[key]; known && old == after[key] {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s %s %s\n", now, clean(key), clean(after[key])); err != nil {
				return err
			}
		}
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if _, still := after[key]; !still {
				if _, err := fmt.Fprintf(w, "%s %s gone\n", now, clean(key)); err != nil {
					return err
				}
			}
		}
		before = after
		return nil
	}
}

// states maps service and address to the endpoint's state, and a service's name
// to what is wrong with it.
func states(all []lift.ServiceStatus) map[string]string {
	out := map[string]string{}
	for i := range all {
		s := &all[i]
		switch {
		case s.Broken != "":
			out[s.Name] = "its configuration is broken: " + s.Broken
		case s.Error != "":
			out[s.Name] = "the registry does not answer: " + s.Error
		case len(s.Endpoints) == 0:
			out[s.Name] = "no endpoints"
		}
		for j := range s.Endpoints {
			e := &s.Endpoints[j]
			text := e.Health()
			if e.Why != "" {
				text += ": " + e.Why
			}
			out[s.Name+" "+e.Addr] = text
		}
	}
	return out
}

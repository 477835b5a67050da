package invoke

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/liftmesh/lift"
)

// headerOf reads headers, multiValueHeaders and cookies of a function's result.
//
//   - The fields are sorted by name; cookies follow as Set-Cookie.
//   - A field in both members goes out once, with the values of multiValueHeaders.
//   - Names differ by more than case; of two alike in one member the last counts.
//   - Values are text and go out as UTF-8. Fields between two hops stay out.
//   - Without a Content-Type the content is JSON.
func headerOf(member map[string]json.RawMessage) ([]lift.Field, error) {
	values := map[string][]string{}
	for _, from := range []string{"headers", "multiValueHeaders"} {
		if err := collect(values, from, member[from]); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var header []lift.Field
	for _, name := range names {
		for _, value := range values[name] {
			header = append(header, lift.Field{Name: name, Value: value})
		}
	}
	header, err := cookies(header, member["cookies"])
	if err == nil && !lift.Has(header, contentType) {
		header = append(header, jsonType())
	}
	return header, err
}

// collect adds the fields of one member to values, by their canonical names.
func collect(values map[string][]string, from string, raw json.RawMessage) error {
	if missing(raw) {
		return nil
	}
	if raw[0] != '{' {
		return fmt.Errorf("%s is %s; want an object", from, clip(string(raw)))
	}
	d := json.NewDecoder(bytes.NewReader(raw)) // in order, which a map is not
	_, _ = d.Token()                           // {; raw has been found sound
	for d.More() {
		var value json.RawMessage
		token, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		name, ok := token.(string)
		if err != nil || !ok {
			return fmt.Errorf("%s cannot be read: %w", from, err)
		}
		if strings.ContainsFunc(name, notInName) || name == "" {
			return fmt.Errorf("%s: %q is not a field name", from, clip(name))
		}
		if between(strings.ToLower(name)) {
			continue
		}
		texts, err := valuesOf(nil, name, value, true)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if len(texts) > 0 {
			values[http.CanonicalHeaderKey(name)] = texts
		}
	}
	return nil
}

// valuesOf adds a field's values to texts: a string, or a number or truth value as it
// is written, or a list of those. null is no value.
func valuesOf(texts []string, name string, raw json.RawMessage, list bool) ([]string, error) {
	text, ok := textOf(raw)
	switch {
	case missing(raw):
		return texts, nil
	case !ok && raw[0] == '[' && list:
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, err
		}
		var err error
		for _, one := range all {
			if texts, err = valuesOf(texts, name, one, false); err != nil {
				return nil, err
			}
		}
		return texts, nil
	case !ok && (raw[0] == '{' || raw[0] == '['):
		return nil, fmt.Errorf("%s is %s; want a text, or a list of them", name, clip(string(raw)))
	case !ok:
		text = string(raw)
	}
	return append(texts, text), checkValue(name, text)
}

// cookies adds a Set-Cookie for each of the cookies to header.
func cookies(header []lift.Field, raw json.RawMessage) ([]lift.Field, error) {
	if missing(raw) {
		return header, nil
	}
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil, fmt.Errorf("cookies is %s; want a list of texts", clip(string(raw)))
	}
	for _, one := range all {
		text, ok := textOf(one)
		if !ok {
			return nil, fmt.Errorf("cookies holds %s; want texts", clip(string(one)))
		}
		if err := checkValue("Set-Cookie", text); err != nil {
			return nil, fmt.Errorf("cookies: %w", err)
		}
		header = append(header, lift.Field{Name: "Set-Cookie", Value: text})
	}
	return header, nil
}

// checkValue refuses what could end the line that the field stands in.
func checkValue(name, value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("the value of %s has control characters", name)
	}
	return nil
}

// notInName reports whether r may not stand in a field's name (RFC 9110, section 5.6.2).
func notInName(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

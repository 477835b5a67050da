package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// docs/configuration.md shows what lift config check really writes.
func TestPageOfConfiguration(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	const text = "services:\n  orders:\n    from: static\n\n    endpoints: [\"${ORDERS}\"]\n    timeout: 2\n"
	if err := os.WriteFile("lift.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"config", "check", "lift.yaml"}, streams{strings.NewReader(""), &out, &errs}, nothing); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if shown := "```text\n" + errs.String() + "```"; !strings.Contains(string(page), shown) {
		t.Errorf("the page does not show\n%s", shown)
	}
}

package sdk_test

import (
	"os"
	"strings"
	"testing"
)

// Every Go snippet of docs/sdk.md is a run of lines of an example.
func TestDocumentationIsCompiled(t *testing.T) {
	var examples strings.Builder
	for _, name := range []string{"example_test.go", "lambda/example_test.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		examples.WriteString(flush(string(b)))
	}
	page, err := os.ReadFile("../docs/sdk.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := strings.Split(string(page), "```go\n")[1:]
	if len(snippets) < 10 {
		t.Errorf("found %d snippets", len(snippets))
	}
	for _, s := range snippets {
		s, _, _ = strings.Cut(s, "```")
		if !strings.Contains(examples.String(), flush(s)) {
			t.Errorf("no example has these lines:\n%s", s)
		}
	}
}

// flush returns text without the indentation of its lines.
func flush(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

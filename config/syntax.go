package config

import (
	"bytes"
	"strconv"
	"strings"
)

// syntaxFault is the fault of a text that is not YAML. The library says the line
// only, and some of its errors are one line off or name the beginning of a bracket,
// so the usual mistakes are looked for around it.
func syntaxFault(text []byte, err error) *Problem {
	message := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "\uFFFD")), " ")
	message = strings.TrimPrefix(message, "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		number, cause, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, message = n, cause
		}
	}
	raw := bytes.Split(text, []byte("\n"))
	line = min(max(line, 1), len(raw))
	lines := make([]string, len(raw))
	for i := range raw {
		lines[i] = strings.ToValidUTF8(strings.TrimRight(string(raw[i]), "\r"), "\uFFFD")
	}
	for _, usual := range []func([]string, int, string) *Problem{tabbed, spaceless, unquoted, badStart} {
		if p := usual(lines, line, message); p != nil {
			return p
		}
	}
	return &Problem{
		Line: line, Column: indentation(lines[line-1]) + 1, What: "not valid YAML: " + message,
		Remedy: "check the indentation, colons, brackets and quotes of this line and of those beside it",
	}
}

func indentation(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }

// around is the numbers of the lines at and beside line, the likeliest first.
func around(lines []string, line int) (numbers []int) {
	for _, n := range []int{line, line - 1, line + 1} {
		if n >= 1 && n <= len(lines) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// tabbed finds a tab in the indentation.
func tabbed(lines []string, line int, message string) *Problem {
	if !strings.Contains(message, "tab") && !strings.Contains(message, "cannot start any token") {
		return nil
	}
	for _, n := range around(lines, line) {
		s := lines[n-1]
		if i := strings.IndexByte(s[:indentation(s)], '\t'); i >= 0 {
			return &Problem{Line: n, Column: i + 1, What: "there is a tab in the indentation, where YAML takes spaces only", Remedy: "replace the tab by spaces"}
		}
	}
	return nil
}

// spaceless finds key:value.
func spaceless(lines []string, line int, _ string) *Problem {
	for _, n := range around(lines, line) {
		s := strings.TrimLeft(lines[n-1], " -")
		if written, ok := missingSpace(s); ok {
			column := len(lines[n-1]) - len(s) + strings.IndexByte(s, ':') + 2
			return &Problem{Line: n, Column: column, What: "a space is missing after the colon", Remedy: "write " + written}
		}
	}
	return nil
}

// missingSpace reports whether s is key:value, and returns it as it was meant.
func missingSpace(s string) (written string, ok bool) {
	key, value, ok := strings.Cut(s, ":")
	value, _, _ = strings.Cut(value, " #")
	if !ok || value == "" || strings.ContainsAny(value[:1], " \t/") || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "", false
	}
	if value = strings.TrimSpace(value); len(value) > 40 || strings.ContainsAny(value, "{[") {
		value = "..."
	}
	return key + ": " + value, true
}

// unquoted finds a ${NAME} without quotes in brackets, where YAML has another
// meaning for braces.
func unquoted(lines []string, line int, message string) *Problem {
	if !strings.Contains(message, "did not find expected ','") {
		return nil
	}
	for n := line; n <= min(line+20, len(lines)); n++ { // line is where the bracket opens
		s := lines[n-1]
		if i := strings.Index(s, "${"); i >= 0 && strings.Count(s[:i], `"`)%2 == 0 && strings.Count(s[:i], "'")%2 == 0 {
			name, _, _ := strings.Cut(s[i:], "}")
			return &Problem{
				Line: n, Column: len([]rune(s[:i])) + 1, What: "a variable without quotes inside {...} or [...], where YAML reads its braces as its own",
				Remedy: "put the value in quotes, such as \"" + name + "}\"",
			}
		}
	}
	return nil
}

// badStart finds a value that begins with a character that YAML reserves.
func badStart(lines []string, line int, message string) *Problem {
	if !strings.Contains(message, "cannot start any token") {
		return nil
	}
	key, value, _ := strings.Cut(lines[line-1], ": ")
	spaces := indentation(value)
	value = strings.TrimSpace(value)
	if value == "" || !strings.ContainsAny(value[:1], "@`%") {
		return nil
	}
	column := len([]rune(key)) + len(": ") + spaces + 1
	return &Problem{Line: line, Column: column, What: "a value cannot begin with " + value[:1] + " in YAML", Remedy: "put it in quotes: " + strconv.Quote(value)}
}

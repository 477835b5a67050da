package lift_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// Each relative link of a page of Markdown leads to a file or folder of this tree,
// and each anchor to a heading.
func TestLinksBetweenPages(t *testing.T) {
	problems, links := deadLinks(t, os.DirFS("."))
	for _, problem := range problems {
		t.Error(problem)
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}

// link is [text](target), or the target of a reference: [text]: target.
var link = regexp.MustCompile(`\]\(<?([^)<>\s]+)>?[^)]*\)|(?m:^\[[^\]]+\]:\s*(\S+))`)

// deadLinks reads the pages of a tree and returns a sentence for each link that
// leads nowhere, and the number of relative links.
func deadLinks(t *testing.T, tree fs.FS) (problems []string, links int) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(page string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && page != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(page) != ".md":
			return nil
		}
		for _, found := range link.FindAllStringSubmatch(prose(t, tree, page), -1) {
			target := found[1] + found[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			file, anchor, anchored := strings.Cut(target, "#")
			if file = path.Join(path.Dir(page), file); target[0] == '#' {
				file = page
			}
			if _, err := fs.Stat(tree, file); err != nil {
				problems = append(problems, page+": the link "+target+" leads to no file")
			} else if anchored && !anchors(prose(t, tree, file))[anchor] {
				problems = append(problems, page+": the link "+target+" leads to no heading of "+file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return problems, links
}

// prose is a page without its blocks of code, in which a # begins a comment.
func prose(t *testing.T, tree fs.FS, page string) string {
	t.Helper()
	text, err := fs.ReadFile(tree, page)
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			inside = !inside
		case !inside:
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// anchors are the names that GitHub gives to the headings of a page: lower case,
// hyphens for spaces, no punctuation, and a number where a heading comes again.
func anchors(prose string) map[string]bool {
	all := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ +(.*?) *$`).FindAllStringSubmatch(prose, -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading[1], "$1")
		name := regexp.MustCompile(`[^\p{L}\p{N}\-_ ]`).ReplaceAllString(strings.ToLower(text), "")
		name = strings.ReplaceAll(name, " ", "-")
		again := name
		for i := 1; all[again]; i++ {
			again = name + "-" + strconv.Itoa(i)
		}
		all[again] = true
	}
	return all
}

// The test above can only be trusted if it can fail.
func TestLinksBetweenPagesSeesEveryDeadLink(t *testing.T) {
	pages := fstest.MapFS{"docs/b.md": {Data: []byte("# `Lift`, and \"more\"?\n## Twice\n## Twice\n```\n# no heading\n[x](no-link.md)\n```\n")}, "docs/c/d.go": {}}
	for target, says := range map[string]string{
		"docs/b.md":                   "",
		"docs/c":                      "",
		"docs/b.md#lift-and-more":     "",
		"docs/b.md#twice-1":           "",
		"#here":                       "",
		"https://example.com/none.md": "",
		"docs/none.md":                "leads to no file",
		"b.md":                        "leads to no file",
		"docs/b.md#twice-2":           "leads to no heading of docs/b.md",
		"docs/b.md#no-heading":        "leads to no heading",
		"docs/c/d.go#L1":              "leads to no heading",
		"#there":                      "leads to no heading of a.md",
	} {
		for _, form := range []string{"# Here\n[x](" + target + ")\n", "# Here\n[x]\n\n[x]: " + target + "\n"} {
			pages["a.md"] = &fstest.MapFile{Data: []byte(form)}
			got, _ := deadLinks(t, pages)
			if says == "" && len(got) > 0 || says != "" && (len(got) != 1 || !strings.Contains(got[0], says)) {
				t.Errorf("%s: got %q, want %q", form, got, says)
			}
		}
	}
}

//go:build e2e && linux

package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The commands of docs/start.md, pasted into one shell one after the other, lead
// from a clone of this tree to the output that the page shows.
func TestStartPage(t *testing.T) { // not in parallel: it compiles, and others count milliseconds
	for _, program := range []string{"sh", "git", "make", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("left out: there is no %s on this machine", program)
		}
	}
	tree, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(tree, ".git")); err != nil {
		t.Skip("left out: this tree is not a git checkout, so it cannot be cloned")
	}
	page, err := os.ReadFile("../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"https://github.com/liftmesh/lift ", "127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:4140"} {
		if !strings.Contains(string(page), must) {
			t.Fatalf("the page does not contain %q, which this test replaces", must)
		}
	}
	one, other := ownAddr(t), ownAddr(t)
	here := strings.NewReplacer("https://github.com/liftmesh/lift ", "-q '"+tree+"' lift ",
		"127.0.0.1:8081", min(one, other), "127.0.0.1:8082", max(one, other), // lift services sorts them
		"127.0.0.1:4140", ownAddr(t))
	script, wants := pasted(here.Replace(string(page)))
	if len(wants) != 9 { // the five, the loss of an instance, two of the next steps, the end
		t.Fatalf("the page has %d blocks of commands", len(wants))
	}

	cmd := exec.CommandContext(within(t, 9*patience), "sh", "-e")
	cmd.Stdin, cmd.Dir = strings.NewReader(script), t.TempDir()
	cmd.Env = append(os.Environ(), "LIFT_SOCKET="+filepath.Join(socketDir(t), "s"), "TMPDIR=/tmp", "no_proxy=*")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the page starts programs in the background
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nothing is left, unless the page failed
	if err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	said := strings.Split(out.String(), endOfBlock+"\n")
	if len(said) != len(wants)+1 {
		t.Fatalf("%d of %d blocks ran:\n%s", len(said)-1, len(wants), out.String())
	}
	for i, want := range wants {
		if missing := missingLine(said[i], want); missing != "" {
			t.Errorf("block %d does not print\n%s\nafter the lines before it on the page, but\n%s", i+1, missing, said[i])
		}
	}
	for i, want := range map[int]string{6: `{"id":"17","state":"shipped"}`, 7: `typed: {"id":"17","state":"shipped"}`} { // the next steps
		if !strings.Contains(said[i], want) {
			t.Errorf("block %d does not print %s, but\n%s", i+1, want, said[i])
		}
	}
}

// endOfBlock is what the script prints after each block of commands.
const endOfBlock = "-- end of block --"

// pasted returns the commands of a page as one script, and for each block of them
// the output that the page shows below it, "" if none.
func pasted(page string) (script string, wants []string) {
	blocks := strings.Split(page, "```")
	for i := 1; i < len(blocks); i += 2 {
		if commands, ok := strings.CutPrefix(blocks[i], "sh\n"); ok {
			script += commands + "echo; echo '" + endOfBlock + "'\n"
			want := ""
			if i+2 < len(blocks) {
				text, found := strings.CutPrefix(blocks[i+2], "text\n")
				if found {
					want = text
				}
			}
			wants = append(wants, want)
		}
	}
	return script, wants
}

// missingLine returns the first line of want that said does not have after the
// lines before it. Log lines and header fields may stand between them.
func missingLine(said, want string) string {
	lines := strings.Split(said, "\n")
	for line := range strings.Lines(want) {
		for len(lines) > 0 && measured(lines[0]) != measured(line) {
			lines = lines[1:]
		}
		if len(lines) == 0 {
			return line
		}
	}
	return ""
}

// measured is a line without what differs from run to run: times, the widths that
// they and addresses take, and which of two instances was picked.
func measured(line string) string {
	line = regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`).ReplaceAllString(line, "<time>")
	line = regexp.MustCompile(`attempt 1: \S+`).ReplaceAllString(line, "attempt 1: <instance>")
	line = regexp.MustCompile(`probe .*`).ReplaceAllString(line, "probe")
	return strings.Join(strings.Fields(line), " ")
}

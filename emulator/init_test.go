package emulator_test

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/emulator"
)

func TestStartSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	good, _ := config(t, "fn")
	other := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x16\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 200) // s390x, little-endian for debug/elf
	tests := map[string]struct {
		change func(*emulator.Config)
		is     error
		says   []string
	}{
		"no function":             {func(c *emulator.Config) { c.Function = "" }, emulator.ErrConfig, []string{"Config.Function"}},
		"function missing":        {func(c *emulator.Config) { c.Function = "/nowhere/bootstrap" }, emulator.ErrNotFound, []string{"/nowhere/bootstrap", "build it"}},
		"function is a folder":    {func(c *emulator.Config) { c.Function = folder }, emulator.ErrNotExecutable, []string{folder}},
		"function not executable": {func(c *emulator.Config) { c.Function = write(t, filepath.Join(folder, "plain"), "#!/bin/sh\n", 0o644) }, emulator.ErrNotExecutable, []string{"chmod +x"}},
		"function of another machine": {func(c *emulator.Config) { c.Function = write(t, filepath.Join(folder, "s390x"), other, 0o755) },
			emulator.ErrWrongArch, []string{"linux/s390x", "GOARCH="}},
		"function is no program": {func(c *emulator.Config) { c.Function = write(t, filepath.Join(folder, "text"), "hello\n", 0o755) }, emulator.ErrNotExecutable, []string{"#!"}},
		"interpreter missing": {func(c *emulator.Config) {
			c.Function = write(t, filepath.Join(folder, "script"), "#!/no/sh -e\n", 0o755)
		}, emulator.ErrNotFound, []string{"/no/sh"}},
		"function dies at init":  {func(c *emulator.Config) { c.Function = filepath.Join(links(t, "fn-dies"), "fn-dies") }, emulator.ErrInit, []string{"Runtime.ExitError", "exit status 2", "panic: no table"}},
		"function reports":       {func(c *emulator.Config) { c.Function = filepath.Join(links(t, "fn-initerror"), "fn-initerror") }, emulator.ErrInit, []string{"Fn.Bad", "no table"}},
		"extension dies at init": {func(c *emulator.Config) { c.Extensions = links(t, "ext-dies") }, emulator.ErrInit, []string{"extension ext-dies", "Extension.Crash", "exit status 3", "cannot bind the socket"}},
		"extension reports":      {func(c *emulator.Config) { c.Extensions = links(t, "ext-initerror") }, emulator.ErrInit, []string{"Extension.InitError", "Extension.NoConfig: no config"}},
		"extension not executable": {func(c *emulator.Config) {
			c.Extensions = t.TempDir()
			write(t, filepath.Join(c.Extensions, "README"), "", 0o644)
		}, emulator.ErrNotExecutable, []string{"README", "Extension.LaunchError", "-rw-r--r--"}},
		"extensions missing":  {func(c *emulator.Config) { c.Extensions = "/nowhere" }, emulator.ErrNotFound, []string{"/nowhere"}},
		"layer missing":       {func(c *emulator.Config) { c.Layer = "/nowhere.zip" }, emulator.ErrNotFound, []string{"/nowhere.zip"}},
		"layer is no zip":     {func(c *emulator.Config) { c.Layer = write(t, filepath.Join(folder, "l.zip"), "no", 0o644) }, emulator.ErrLayer, []string{"l.zip"}},
		"unknown init type":   {func(c *emulator.Config) { c.InitType = "eager" }, emulator.ErrConfig, []string{"eager", emulator.SnapStart}},
		"too many variables":  {func(c *emulator.Config) { c.Env = map[string]string{"BIG": strings.Repeat("x", 4096)} }, emulator.ErrConfig, []string{"4099 bytes"}},
		"a reserved variable": {func(c *emulator.Config) { c.Env = map[string]string{"AWS_REGION": "eu-west-1"} }, emulator.ErrConfig, []string{"Env: AWS_REGION is reserved; Lambda refuses"}},
		"the task root":       {func(c *emulator.Config) { c.Env = map[string]string{"LAMBDA_TASK_ROOT": "/"} }, emulator.ErrConfig, []string{"LAMBDA_TASK_ROOT is reserved"}},
		"no name":             {func(c *emulator.Config) { c.Env = map[string]string{"A=B": ""} }, emulator.ErrConfig, []string{`"A=B" is not a name`}},
		"no task root":        {func(c *emulator.Config) { c.TaskRoot = filepath.Join(folder, "none") }, emulator.ErrConfig, []string{"TaskRoot: ", "none is not a folder"}},
		"managed freeze":      {func(c *emulator.Config) { c.InitType, c.FreezeWhenIdle = emulator.ManagedInstances, true }, emulator.ErrNeverFreezes, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			e, err := emulator.Start(t.Context(), cfg)
			if e != nil || !errors.Is(err, test.is) {
				t.Fatalf("error = %v, want %v", err, test.is)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
		})
	}
}

func TestInitOrder(t *testing.T) {
	cfg, _ := config(t, "fn", "ext~1", "ext~2")
	e := start(t, cfg)
	all := e.Reports()
	if len(all) != 3 || all[1].Name != "ext~1" || all[2].Name != "ext~2" {
		t.Fatalf("reports = %+v", all)
	}
	for _, ext := range all[1:] {
		if !ext.Registered.Before(all[0].Started) {
			t.Errorf("%s registered at %s, after the function's start at %s", ext.Name, ext.Registered, all[0].Started)
		}
		if ext.FirstNext.IsZero() {
			t.Errorf("%s is not ready after init", ext.Name)
		}
	}
}

func TestOverrunInitRunsAgainInsideTheInvocation(t *testing.T) {
	cfg, log := config(t, "fn", "ext-first-stuck")
	cfg.InitLimit = time.Second
	cfg.ExtensionEnv = map[string]string{"MARKER": filepath.Join(t.TempDir(), "marker")}
	e := start(t, cfg)
	if s := e.State(); s != emulator.Cold {
		t.Fatalf("state = %s", s)
	}
	log.find("extension ext-first-stuck has not registered")
	if res := works(t, e); !res.Init || !res.Cold {
		t.Errorf("init %v, cold %v", res.Init, res.Cold)
	}
}

func TestSuppressedInitIsInsideTheTimeout(t *testing.T) {
	for name, says := range map[string]string{"ext-noregister": "has not registered", "ext-nonext": "not asked for its first event"} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, "fn", name)
			cfg.Timeout, cfg.InitLimit, cfg.ShutdownBudget = time.Second, 50*time.Millisecond, 100*time.Millisecond
			cfg.Lazy = true
			res := invoke(t, start(t, cfg), `{}`)
			if res.FunctionError != "Sandbox.Timedout" || !strings.Contains(string(res.Payload), says) {
				t.Errorf("result = %q %s", res.FunctionError, res.Payload)
			}
		})
	}
}

func TestLazyInitFailsTheInvocationAndEachStartsOver(t *testing.T) {
	for name, kind := range map[string]string{"ext-dies": "Extension.Crash", "ext-initerror": "Extension.InitError"} {
		t.Run(name, func(t *testing.T) {
			cfg, log := config(t, "fn", name)
			cfg.Lazy = true
			e := start(t, cfg)
			if got := log.matching("INIT_START"); len(got) != 0 {
				t.Fatal("init ran at Start")
			}
			for range 2 {
				if res := invoke(t, e, `{}`); res.FunctionError != kind || !res.Init {
					t.Errorf("result = %+v", res)
				}
			}
			if got := log.matching("INIT_START"); len(got) != 3 { // the first invocation has an init of its own before it
				t.Errorf("%d inits", len(got))
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	cfg, _ := config(t, "fn", "ext-noregister")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := emulator.Start(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
}

// zipOf packs entries; a name that ends in / is a folder, a text that begins
// with -> a link, the text "self" this program.
func zipOf(t *testing.T, entries ...entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layer.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

type entry struct {
	name string
	mode fs.FileMode
	text string
}

func TestLayer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nexec -a ext " + self + "\n"
	cfg, log := config(t, "fn")
	cfg.Extensions = ""
	t.Setenv("TMPDIR", t.TempDir())
	cfg.Layer = zipOf(t,
		entry{"lift/data.txt", 0o640, "data"},
		entry{"extensions/ext", 0o755, "#!/bin/bash\n" + strings.TrimPrefix(script, "#!/bin/sh\n")},
		entry{"extensions/folder/", 0o755 | fs.ModeDir, ""},
		entry{"extensions/folder/ext-dies", 0o755, "never started"},
	)
	e := start(t, cfg)
	works(t, e)
	log.find("extension ext: registered 200")
	found, err := filepath.Glob(filepath.Join(os.TempDir(), "emulator-layer-*", "lift", "data.txt"))
	if err != nil || len(found) != 1 {
		t.Fatalf("unpacked: %q, %v", found, err)
	}
	if info, err := os.Stat(found[0]); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	if err := e.Shutdown(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLayerRefused(t *testing.T) {
	for name, test := range map[string]struct {
		entries []entry
		is      error
	}{
		"outside":          {[]entry{{"../evil", 0o644, ""}}, emulator.ErrLayer},
		"absolute":         {[]entry{{"/evil", 0o644, ""}}, emulator.ErrLayer},
		"link outside":     {[]entry{{"a", 0o777 | fs.ModeSymlink, "../../etc"}}, emulator.ErrLayer},
		"through a link":   {[]entry{{"d/", 0o755 | fs.ModeDir, ""}, {"a", 0o777 | fs.ModeSymlink, "d"}, {"a/b", 0o644, ""}}, emulator.ErrLayer},
		"twice":            {[]entry{{"a", 0o644, ""}, {"a", 0o644, ""}}, emulator.ErrLayer},
		"mode not kept up": {[]entry{{"extensions/ext", 0o644, "#!/bin/sh\n"}}, emulator.ErrNotExecutable},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, "fn")
			cfg.Layer = zipOf(t, test.entries...)
			if _, err := emulator.Start(t.Context(), cfg); !errors.Is(err, test.is) {
				t.Errorf("error = %v, want %v", err, test.is)
			}
		})
	}
}

func TestLayerCanDisableExtensions(t *testing.T) {
	cfg, _ := config(t, "fn")
	cfg.Extensions = ""
	cfg.Layer = zipOf(t, entry{"disable-extensions-jwigqn8j", 0o644, ""}, entry{"extensions/ext-dies", 0o755, "no program"})
	e := start(t, cfg)
	works(t, e)
	if n := len(e.Reports()); n != 1 {
		t.Errorf("%d members", n)
	}
}

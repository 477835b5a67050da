package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift/demo/report"
	"github.com/liftmesh/lift/emulator"
	"github.com/liftmesh/lift/layer"
)

// startUp measures the extension's start in the emulator, and its memory.
func startUp(ctx context.Context, dir, extension, function string) error {
	addr, stop, err := startUpstream(ctx)
	if err != nil {
		return err
	}
	defer stop()
	file := filepath.Join(dir, "lift.yaml")
	if err := writeConfig(file, filepath.Join(dir, "lift.sock"), addr); err != nil {
		return err
	}
	var register, next, memory []float64
	const starts = 11
	for range starts {
		r, kib, err := oneStart(ctx, dir, file, extension, function, addr)
		if err != nil {
			return err
		}
		register = append(register, float64(r.ToRegister().Microseconds())/1000)
		next = append(next, float64(r.ToFirstNext().Microseconds())/1000)
		memory = append(memory, kib/1024)
	}
	size, err := zipSize(extension)
	if err != nil {
		return err
	}
	fmt.Printf("start-up, median and worst of %d\n", starts)
	fmt.Printf("  exec to register     %6.1f ms  %6.1f ms\n", median(register), slices.Max(register))
	fmt.Printf("  exec to first next   %6.1f ms  %6.1f ms\n", median(next), slices.Max(next))
	fmt.Printf("  private memory       %6.1f MB  %6.1f MB   after the first calls\n", median(memory), slices.Max(memory))
	fmt.Printf("  layer zip            %6.1f MB\n\n", float64(size)/(1<<20))
	return nil
}

func oneStart(ctx context.Context, dir, file, extension, function, addr string) (r emulator.Report, kib float64, err error) {
	e, err := emulator.Start(ctx, emulator.Config{
		Function: function, Extensions: filepath.Dir(extension), Timeout: 10 * time.Second,
		Env: map[string]string{"LIFT_CONFIG": file, "LIFT_SOCKET": filepath.Join(dir, "lift.sock")},
	})
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = e.Shutdown(context.WithoutCancel(ctx), "") }()
	payload, err := json.Marshal(report.Order{Gets: 1, Timeout: 1000, Plain: []string{addr}})
	if err != nil {
		return r, 0, err
	}
	res, err := e.Invoke(ctx, payload)
	if err != nil {
		return r, 0, err
	}
	var made []report.Call
	if err := json.Unmarshal(res.Payload, &made); err != nil || len(made) == 0 || !made[0].OK {
		return r, 0, fmt.Errorf("the first call failed: %s", res.Payload)
	}
	r, _ = e.Report("lift")
	kib, err = private(r.PID)
	return r, kib, err
}

// private returns a process's private memory in KiB: pages that it wrote or allocated.
// Pages of the program's file that are mapped read-only do not count: the page cache
// can drop them and read them again.
func private(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0, err
	}
	total, own := 0.0, false
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 5 && strings.Contains(fields[0], "-") { // a mapping's first line
			own = strings.Contains(fields[1], "w") || len(fields) < 6 || strings.HasPrefix(fields[5], "[")
			continue
		}
		if own && len(fields) == 3 && (fields[0] == "Private_Clean:" || fields[0] == "Private_Dirty:") {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return 0, fmt.Errorf("reading %q: %w", lines.Text(), err)
			}
			total += kib
		}
	}
	return total, nil
}

func zipSize(extension string) (int, error) {
	content, err := os.ReadFile(extension)
	if err != nil {
		return 0, err
	}
	var zip bytes.Buffer
	err = layer.Build(&zip, []layer.File{{Name: layer.Extension, Mode: 0o755, Data: content}})
	return zip.Len(), err
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

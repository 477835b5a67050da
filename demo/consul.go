package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// consul is a Consul agent that keeps everything in memory, for the service "parts":
// the same instances, discovered through Consul.
type consul struct {
	addr   string
	client *http.Client
	cmd    *exec.Cmd
}

// findConsul returns the path of a Consul that this machine already has, else "":
// building one takes minutes. The version is the Makefile's.
func findConsul() string {
	if path, err := exec.LookPath("consul"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	path := filepath.Join(cache, "lift", "bin", "consul@v1.21.0", "consul")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// startConsul starts the agent and registers the instances; nil if there is no Consul.
func startConsul(ctx context.Context, dir string, instances []*instance) (*consul, error) {
	program := findConsul()
	if program == "" {
		return nil, nil
	}
	c := &consul{client: &http.Client{Transport: &http.Transport{}}} // past any proxy
	var ports []string
	for range 3 {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, port, _ := strings.Cut(addr, ":")
		ports = append(ports, port)
		c.addr = addr
	}
	file := filepath.Join(dir, "consul.hcl")
	text := fmt.Sprintf("bind_addr = \"127.0.0.1\"\nnode_name = \"demo\"\ndisable_update_check = true\n"+
		"ports { server = %s, serf_lan = %s, http = %s, serf_wan = -1, dns = -1, grpc = -1, grpc_tls = -1 }\n", ports[0], ports[1], ports[2])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	c.cmd = exec.Command(program, "agent", "-dev", "-log-level=err", "-config-file="+file)
	c.cmd.Env = append(os.Environ(), "HOME="+dir)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to the demo only
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	for _, i := range instances {
		if err := c.register(ctx, i); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// register registers an instance, as soon as the agent listens.
func (c *consul) register(ctx context.Context, i *instance) error {
	host, port, err := net.SplitHostPort(i.addr)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"ID": i.name, "Name": "parts", "Address": host, "Port": json.Number(port)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		err := c.put(ctx, "/v1/agent/service/register", body)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *consul) put(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+c.addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("consul: %s answered %s", path, resp.Status)
	}
	return nil
}

// lines returns the lines of lift.yaml for the agent and the service.
func (c *consul) lines() string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("  parts: {from: consul}\nregistry:\n  consul: {address: \"http://%s\"}\n", c.addr)
}

func (c *consul) stop() {
	if c == nil || c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	c.cmd = nil
}

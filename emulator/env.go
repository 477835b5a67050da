package emulator

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const accountID = "123456789012"

// withheld are the variables that Lambda gives to a function and not to its
// extensions, beside every name that starts with an underscore.
var withheld = []string{
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_MAX_CONCURRENCY",
	"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// reserved are the variables that Lambda lets no customer set
// (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
	"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// checkEnv refuses customer's variables that Lambda would not take.
func (c *Config) checkEnv() error {
	size := 0
	for _, k := range slices.Sorted(maps.Keys(c.Env)) {
		v := c.Env[k]
		switch {
		case k == "" || strings.ContainsAny(k, "=\x00"):
			return fmt.Errorf("emulator: %w: Env: %q is not a name for a variable", ErrConfig, k)
		case strings.Contains(v, "\x00"):
			return fmt.Errorf("emulator: %w: Env: the value of %s holds a NUL byte", ErrConfig, k)
		case slices.Contains(reserved, k):
			return fmt.Errorf("emulator: %w: Env: %s is reserved; Lambda refuses a function that sets it. Set it by the Config's own fields, or in FunctionEnv or ExtensionEnv", ErrConfig, k)
		}
		size += len(k) + len(v)
	}
	if size > maxEnvBytes {
		return fmt.Errorf("emulator: %w: Env: %d bytes, Lambda takes %d; move variables to FunctionEnv or ExtensionEnv, which are not counted", ErrConfig, size, maxEnvBytes)
	}
	return nil
}

// shared are the variables that both sides get. Of the host only what a
// program needs to run at all passes: never its credentials, never HOME.
func (c *Config) shared(api string) map[string]string {
	env := map[string]string{
		// Placeholders: no host credential must leak, and a client of AWS that
		// is called by mistake must fail.
		"AWS_ACCESS_KEY_ID":     "EMULATOR",
		"AWS_SECRET_ACCESS_KEY": "EMULATOR",
		"AWS_SESSION_TOKEN":     "EMULATOR",
	}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "TZ", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	maps.Copy(env, c.Env)
	maps.Copy(env, map[string]string{
		"AWS_REGION":                      c.Region,
		"AWS_DEFAULT_REGION":              c.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        c.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     c.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemoryMB),
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  c.InitType,
	})
	return env
}

// extensionEnviron is the environment of an extension.
func (c *Config) extensionEnviron(api string) []string {
	env := c.shared(api)
	maps.DeleteFunc(env, func(name, _ string) bool {
		return strings.HasPrefix(name, "_") || slices.Contains(withheld, name)
	})
	maps.Copy(env, c.ExtensionEnv)
	return environ(env)
}

// functionEnviron is the environment of the function.
func (c *Config) functionEnviron(api string) []string {
	env := c.shared(api)
	maps.Copy(env, map[string]string{
		"_HANDLER":           c.Handler,
		"LAMBDA_TASK_ROOT":   c.TaskRoot,
		"LAMBDA_RUNTIME_DIR": filepath.Dir(c.Function),
		"AWS_EXECUTION_ENV":  "AWS_Lambda_provided.al2023",
		// The daemon's address: nobody listens there, and nothing leaves the machine.
		"AWS_XRAY_CONTEXT_MISSING":  "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":   "127.0.0.1:2000",
		"_AWS_XRAY_DAEMON_ADDRESS":  "127.0.0.1",
		"_AWS_XRAY_DAEMON_PORT":     "2000",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + c.Name,
	})
	if c.InitType != SnapStart {
		env["AWS_LAMBDA_LOG_STREAM_NAME"] = "emulator"
	} else {
		delete(env, "AWS_LAMBDA_LOG_GROUP_NAME")
	}
	if c.managed() {
		env["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(c.MaxConcurrency)
	}
	maps.Copy(env, c.FunctionEnv)
	return environ(env)
}

func (c *Config) arn() string {
	return "arn:aws:lambda:" + c.Region + ":" + accountID + ":function:" + c.Name
}

// environ is env as exec wants it, in the order of the names.
func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

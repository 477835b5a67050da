package extension_test

import (
	"testing"

	"github.com/liftmesh/lift/extension"
)

func TestFromEnv(t *testing.T) {
	inside := map[string]string{
		"AWS_LAMBDA_RUNTIME_API": "169.254.100.1:9001", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "7",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_REGION": "eu-west-1", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
	}
	want := extension.Env{API: "169.254.100.1:9001", Function: "f", Version: "7", MemoryMB: 512, Region: "eu-west-1", InitType: "on-demand"}
	for _, tt := range []struct {
		name    string
		vars    map[string]string
		env     extension.Env
		ok      bool
		managed bool
	}{
		{name: "outside", vars: map[string]string{"AWS_REGION": "eu-west-1"}, env: extension.Env{Region: "eu-west-1"}},
		{name: "inside", vars: inside, env: want, ok: true},
		{
			name: "managed", vars: map[string]string{"AWS_LAMBDA_RUNTIME_API": "a:1", "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances"},
			env: extension.Env{API: "a:1", InitType: "lambda-managed-instances"}, ok: true, managed: true,
		},
		{
			name: "odd memory", vars: map[string]string{"AWS_LAMBDA_RUNTIME_API": "a:1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "-1"},
			env: extension.Env{API: "a:1"}, ok: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, ok := extension.FromEnv(func(k string) string { return tt.vars[k] })
			if env != tt.env || ok != tt.ok || env.Managed() != tt.managed {
				t.Errorf("got %+v, %v, managed %v", env, ok, env.Managed())
			}
		})
	}
}

package config_test

import (
	"fmt"

	"github.com/liftmesh/lift/config"
)

func ExampleParse() {
	text := []byte(`
defaults: {timeout: 3s}
services:
  orders:
    from: static
    endpoints: ["${ORDERS:-127.0.0.1:8080}"]
  billing:
    from: static
    endpoint: ["127.0.0.1:8081"]
`)
	nothing := func(string) (string, bool) { return "", false }
	cfg, problems := config.Parse("lift.yaml", text, nothing)
	fmt.Println(problems.Err())
	for _, s := range cfg.Services {
		fmt.Println(s.Name, s.Timeout, "broken:", s.Broken != nil)
	}
	// Output:
	// lift.yaml:9:5: services.billing.endpoint: unknown key "endpoint"; did you mean endpoints?
	// orders 3s broken: false
	// billing 3s broken: true
}

func ExampleFind() {
	variables := map[string]string{"LIFT_CONFIG": "/etc/lift.yaml"}
	path, err := config.Find(func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
	fmt.Println(path, err)
	// Output: /etc/lift.yaml <nil>
}

func ExampleConfig_NeedRestart() {
	parse := func(text string) *config.Config {
		c, _ := config.Parse("lift.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return c
	}
	before := parse("limits: {calls: 100}\nlog: {level: info}\n")
	after := parse("limits: {calls: 200}\nlog: {level: debug}\n")
	fmt.Println(before.NeedRestart(after))
	// Output: [limits.calls]
}

package config

import (
	"fmt"
	"os"
	"strings"
)

// Lookup reads a variable of the process's environment, as [os.LookupEnv] does.
type Lookup func(name string) (value string, ok bool)

// Places are where lift.yaml is looked for, in this order, where $LIFT_CONFIG
// does not name it: beside a function's code, in its layers, here.
func Places() []string {
	return []string{"/var/task/lift.yaml", "/opt/lift/lift.yaml", "lift.yaml"}
}

// Find returns the path of the configuration: $LIFT_CONFIG as it stands, else
// the first of [Places] that exists.
func Find(lookup Lookup) (string, error) { return find(lookup, exists) }

func find(lookup Lookup, exists func(string) bool) (string, error) {
	if path, ok := lookup("LIFT_CONFIG"); ok && path != "" {
		return path, nil
	}
	for _, path := range Places() {
		if exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no configuration found: $LIFT_CONFIG is not set and there is none of %s", strings.Join(Places(), ", "))
}

// exists is also true of what is there but cannot be looked at: reading it then
// says why, which is better than taking the next place.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}

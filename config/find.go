package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Lookup reads a variable of the process's environment, as [os.LookupEnv] does.
type Lookup func(name string) (value string, ok bool)

// Places are the paths where lift.yaml is looked for, in this order, unless
// $LIFT_CONFIG names it: beside a function's code, in its layers, and in the
// working folder.
func Places() []string {
	return []string{"/var/task/lift.yaml", "/opt/lift/lift.yaml", "lift.yaml"}
}

// places are those of an environment: a function's code is where
// $LAMBDA_TASK_ROOT says, which a container image may choose. Extensions are not
// given the variable.
func places(lookup Lookup) []string {
	all := Places()
	if root, _ := lookup("LAMBDA_TASK_ROOT"); root != "" {
		all[0] = filepath.Join(root, "lift.yaml")
	}
	return all
}

// Find returns the path of the configuration: $LIFT_CONFIG as it is, else the
// first of [Places] that exists. $LAMBDA_TASK_ROOT, if it is set, takes the place
// of /var/task.
func Find(lookup Lookup) (string, error) { return find(lookup, exists) }

func find(lookup Lookup, exists func(string) bool) (string, error) {
	if path, ok := lookup("LIFT_CONFIG"); ok && path != "" {
		return path, nil
	}
	all := places(lookup)
	for _, path := range all {
		if exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no configuration found: $LIFT_CONFIG is not set and there is none of %s", strings.Join(all, ", "))
}

// exists is also true of what is there but cannot be looked at: reading it then
// says why, which is better than taking the next place.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}

package extension

import "strconv"

// initManaged is the initialization type of Lambda Managed Instances.
const initManaged = "lambda-managed-instances"

// Env holds Lambda's environment variables for an extension. A variable that is not
// set leaves its field zero.
type Env struct {
	// API is host:port of the Extensions API (AWS_LAMBDA_RUNTIME_API).
	API string
	// Function and Version name the function beside the extension.
	Function, Version string
	// MemoryMB is the function's memory in MB, shared with the extension.
	MemoryMB int
	// Region is the AWS region, such as eu-west-1.
	Region string
	// InitType is on-demand, provisioned-concurrency, snap-start or
	// lambda-managed-instances.
	InitType string
}

// FromEnv reads Lambda's variables with getenv (os.Getenv). ok reports whether the
// process runs as a Lambda extension. It depends on AWS_LAMBDA_RUNTIME_API alone: a
// process that ran standalone inside Lambda by mistake would leave every cold start
// waiting for a registration that never comes, while the opposite mistake ends in one
// clear error.
func FromEnv(getenv func(string) string) (env Env, ok bool) {
	env = Env{
		API:      getenv("AWS_LAMBDA_RUNTIME_API"),
		Function: getenv("AWS_LAMBDA_FUNCTION_NAME"),
		Version:  getenv("AWS_LAMBDA_FUNCTION_VERSION"),
		Region:   getenv("AWS_REGION"),
		InitType: getenv("AWS_LAMBDA_INITIALIZATION_TYPE"),
	}
	if mb, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")); err == nil && mb > 0 {
		env.MemoryMB = mb
	}
	return env, env.API != ""
}

// Managed reports whether the environment is one of Lambda Managed Instances:
// it never freezes and never sends Invoke.
func (e Env) Managed() bool { return e.InitType == initManaged }

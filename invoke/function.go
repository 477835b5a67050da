package invoke

import (
	"errors"
	"net/url"
	"strings"
)

// Function names a Lambda function and its version.
type Function struct {
	// Name is its name, or its ARN without a qualifier, or ACCOUNT:function:NAME.
	Name string
	// Qualifier is a version or an alias; "" means $LATEST.
	Qualifier string
	// Region is the ARN's, "" if the function is not named by an ARN.
	Region string
}

var errFunction = errors.New("want a function's name, NAME:ALIAS, ACCOUNT:function:NAME, or an ARN such as arn:aws:lambda:eu-west-1:123456789012:function:orders:live")

// ParseFunction reads a name, a partial ARN (123456789012:function:NAME) or an ARN,
// each with or without a version or an alias after it.
func ParseFunction(s string) (Function, error) {
	parts := strings.Split(s, ":")
	var f Function
	head := 0 // how many parts stand before the name
	switch {
	case parts[0] == "arn" && len(parts) > 1:
		if len(parts) < 7 || !strings.HasPrefix(parts[1], "aws") || parts[2] != "lambda" || !isWord(parts[3]) || !isAccount(parts[4]) || parts[5] != "function" {
			return Function{}, errFunction
		}
		f.Region, head = parts[3], 6
	case len(parts) > 2:
		if !isAccount(parts[0]) || parts[1] != "function" {
			return Function{}, errFunction
		}
		head = 2
	}
	rest := parts[head:]
	if len(rest) > 2 || !isWord(rest[0]) || len(rest[0]) > 64 {
		return Function{}, errFunction
	}
	if len(rest) == 2 {
		f.Qualifier = rest[1]
		if !isWord(strings.TrimPrefix(f.Qualifier, "$")) || len(f.Qualifier) > 128 || f.Qualifier[0] == '$' && f.Qualifier != "$LATEST" {
			return Function{}, errFunction
		}
	}
	f.Name = strings.Join(parts[:head+1], ":")
	return f, nil
}

// CheckFunction returns what is wrong with s as the name of a function, or nil.
func CheckFunction(s string) error {
	_, err := ParseFunction(s)
	return err
}

// String returns the function as it was written.
func (f Function) String() string {
	if f.Qualifier == "" {
		return f.Name
	}
	return f.Name + ":" + f.Qualifier
}

// path returns the path of the function's Invoke.
func (f Function) path() string {
	p := "/2015-03-31/functions/" + strings.ReplaceAll(f.Name, ":", "%3A") + "/invocations"
	if f.Qualifier != "" {
		p += "?Qualifier=" + url.QueryEscape(f.Qualifier)
	}
	return p
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func isAccount(s string) bool {
	return len(s) == 12 && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

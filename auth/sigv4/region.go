package sigv4

import "strings"

// Signing names of the AWS services that Lift signs for.
const (
	ExecuteAPI       = "execute-api"
	Lambda           = "lambda"
	Lattice          = "vpc-lattice-svcs"
	ServiceDiscovery = "servicediscovery"
)

// RegionOf returns the region in a host's name, "" if there is none:
// abc.execute-api.eu-west-1.amazonaws.com, or x.lambda-url.eu-west-1.on.aws.
func RegionOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	for i, label := range labels[:len(labels)-1] {
		switch label {
		case ExecuteAPI, Lambda, "lambda-url", "lambda-fips", Lattice, ServiceDiscovery, "data-servicediscovery", "data-servicediscovery-fips":
			if CheckRegion(labels[i+1]) == nil {
				return labels[i+1]
			}
		}
	}
	return ""
}

// HostOf returns the public host of an AWS service in a region: for "lambda" and
// "eu-west-1" it is lambda.eu-west-1.amazonaws.com.
func HostOf(service, region string) string {
	if strings.HasPrefix(region, "cn-") {
		return service + "." + region + ".amazonaws.com.cn"
	}
	return service + "." + region + ".amazonaws.com"
}

// CheckRegion returns why s is not a region's name, or nil.
func CheckRegion(s string) error {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(s) > 40 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) {
		return errRegion
	}
	last := parts[len(parts)-1]
	if last == "" || strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' }) || parts[0] == "" {
		return errRegion
	}
	return nil
}

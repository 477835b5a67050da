package config

import (
	"errors"
	"strings"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4"
	"github.com/liftmesh/lift/invoke"
	"github.com/liftmesh/lift/mesh"
)

// lambdaSettings go with from: lambda.
func lambdaSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "function", kind: text, own: true, with: "lambda", check: invoke.CheckFunction, sample: "orders:live",
			means: "function to invoke: a name, NAME:ALIAS, or an ARN",
			why:   "required with from: lambda; see [AWS](aws.md)",
		}, nil}, // together with what goes with it, see service.invoke
		{rule{
			path: "payload", kind: choice, choices: []string{string(invoke.HTTP), string(invoke.Raw)}, own: true, with: "lambda", preset: string(invoke.HTTP),
			means: "what the function receives: http is the request as an API Gateway event (payload format 2.0), raw is the request's body, which must be JSON",
			why:   "functions behind a URL work unchanged",
		}, nil},
		{rule{
			path: "lambda.endpoint", kind: text, own: true, with: "lambda", check: checkAPI, derived: "AWS_ENDPOINT_URL_LAMBDA, else the region's public one", sample: "https://lambda.eu-west-1.amazonaws.com",
			means: "URL of Lambda's API",
			why:   "for VPC endpoints with their own name, and for fakes",
		}, nil},
	}
}

// checkAPI is the check of the URL of one of AWS's APIs.
func checkAPI(s string) error {
	t, err := parseURL(s)
	if err == nil && t.prefix != "" {
		return errors.New("its path: AWS's APIs have none; want scheme and host alone, such as https://lambda.eu-west-1.amazonaws.com")
	}
	return err
}

// lambdaValues lays under what the service says itself how Lambda's API is reached.
// whole: nothing else is wrong with the service.
func (r *reader) lambdaValues(s *service, whole bool) {
	at := "services." + s.name
	for _, key := range []struct{ path, remedy string }{
		{"path_prefix", "remove it: the function is given each call's own path"},
		{"auth.sigv4", "remove it: what is invoked is signed"},
	} {
		if d, ok := s.values[key.path]; ok {
			r.tell(d.origin, at+"."+key.path, key.path+" does not go with from: lambda", key.remedy)
		}
	}
	d, ok := s.values["function"]
	if !ok || !whole {
		return
	}
	api := r.api(s, sigv4.Lambda, "lambda.endpoint", "AWS_ENDPOINT_URL_LAMBDA", d)
	if api == "" {
		return
	}
	t, err := parseURL(api)
	if err != nil {
		return // it was reported
	}
	s.reach(t, "by function")
	s.api = t
	if s.values["connections.whole"].origin.isDefault() { // a result is looked at whole
		whole := int64(invoke.MaxPayload + 64<<10)
		s.values["connections.whole"] = datum{text: formatSize(whole), ns: whole, origin: origin{derived: "by function"}}
	}
}

// api is the URL of one of AWS's APIs: what key says, else the variable, else the
// region's public one. d is where to tell that the region is not known.
func (r *reader) api(s *service, name, key, variable string, d datum) string {
	if own, ok := s.values[key]; ok {
		return own.text
	}
	if v, _ := r.lookup(variable); v != "" {
		if err := checkAPI(v); err != nil {
			r.tell(d.origin, "services."+s.name, "the variable "+variable+" is not the URL of an API", err.Error())
			return ""
		}
		return v
	}
	region := r.region(s)
	if region == "" {
		r.tell(d.origin, "services."+s.name, "the region is not known", remedyRegion)
		return ""
	}
	return "https://" + sigv4.HostOf(name, region)
}

// region is the one that a service's API is in.
func (r *reader) region(s *service) string {
	if d, ok := s.values["auth.region"]; ok {
		return d.text
	}
	if f, err := invoke.ParseFunction(s.values["function"].text); err == nil && f.Region != "" {
		return f.Region
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if v, _ := r.lookup(name); sigv4.CheckRegion(v) == nil {
			return v
		}
	}
	return ""
}

// invoke has the service's attempts invoke its function.
func (s *service) invoke(c *mesh.ServiceConfig, p *process) {
	f, err := invoke.ParseFunction(s.values["function"].text)
	if err != nil {
		return // the service is broken
	}
	region := s.values["auth.region"].text
	if region == "" {
		region = f.Region
	}
	signer := p.signer(s, sigv4.Lambda, region)
	step := invoke.Step(invoke.Config{Function: f, Payload: invoke.Payload(s.values["payload"].text), Now: p.now})
	c.Sign, c.WholeBody = signer.Sign, wholeLambda
	c.Adapt = func(next lift.RoundTripper) lift.RoundTripper { return step(signer.Heed(next)) }
	if s.api.endpoint() == "" {
		c.Lookup = strings.TrimSuffix(s.api.name, ".")
	}
}

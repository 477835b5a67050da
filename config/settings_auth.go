package config

import (
	"strings"

	"github.com/liftmesh/lift/auth/sigv4"
	"github.com/liftmesh/lift/mesh"
)

// wholeAPI is the largest request that API Gateway takes, in bytes, wholeLambda
// the largest that a function's URL takes. Source: AWS's quotas, 10 MB and 6 MB.
const (
	wholeAPI    = 10 << 20
	wholeLambda = 6 << 20
)

// authSettings are how each request proves who sends it.
func authSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "auth.sigv4", kind: choice, choices: []string{sigv4.ExecuteAPI, sigv4.Lambda, sigv4.Lattice}, own: true, derived: "none",
			means: "AWS service to sign each attempt for, with Signature Version 4: API Gateway (execute-api), function URLs (lambda) or VPC Lattice (vpc-lattice-svcs)",
			why:   "for endpoints that check callers with IAM; see [AWS](aws.md)",
		}, nil}, // see service.sign
		{rule{
			path: "auth.region", kind: text, own: true, check: sigv4.CheckRegion, pattern: "^[a-z0-9]+-[a-z0-9-]*-[0-9]+$", derived: "what the host tells, else AWS_REGION", sample: "eu-west-1",
			means: "AWS region to sign for",
			why:   "needed with auth.sigv4 where the host is a custom domain and AWS_REGION is another region",
		}, nil},
	}
}

// auth checks that the keys of auth go together, and that there is a region to sign
// for. whole: nothing else is wrong with the service.
func (r *reader) auth(s *service, whole bool) {
	region, ok := s.values["auth.region"]
	from := s.values["from"].text
	sigv4, signs := s.values["auth.sigv4"]
	switch {
	case ok && !signs && from != "lambda" && from != "cloudmap":
		r.tell(region.origin, "services."+s.name+".auth.region", "auth.region needs auth.sigv4", "set the service to sign for, such as sigv4: execute-api, or remove it")
	case signs && whole && from != "lambda" && r.region(s) == "" && !s.hostsTellRegion():
		r.tell(sigv4.origin, "services."+s.name+".auth.sigv4", "the region to sign for is not known, and the host does not tell it", remedyRegion)
	}
}

const remedyRegion = "set auth.region, such as region: eu-west-1, or AWS_REGION where this is checked; Lambda sets AWS_REGION itself"

// hostsTellRegion reports whether each host that the service's requests are sent
// with has its region in its name.
func (s *service) hostsTellRegion() bool {
	if host, ok := s.values["host"]; ok {
		return sigv4.RegionOf(host.text) != ""
	}
	for _, item := range s.values["endpoints"].items {
		if addr, _, _ := strings.Cut(item, ";"); sigv4.RegionOf(addr) == "" {
			return false
		}
	}
	return len(s.values["endpoints"].items) > 0
}

// sign has the service's attempts signed, if they are to be.
func (s *service) sign(c *mesh.ServiceConfig, p *process) {
	name := s.values["auth.sigv4"].text
	if name == "" {
		return
	}
	signer := p.signer(s, name, s.values["auth.region"].text)
	c.Sign, c.Adapt = signer.Sign, signer.Heed
	switch name {
	case sigv4.ExecuteAPI:
		c.WholeBody = wholeAPI
	case sigv4.Lambda:
		c.WholeBody = wholeLambda
	}
}

func (p *process) signer(s *service, name, region string) *sigv4.Signer {
	return sigv4.New(sigv4.Config{Service: name, Region: region, Source: p.credentials, Now: p.now, Log: p.log.With("service", s.name)})
}

package cloudmap

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
)

// Attributes with a meaning to Cloud Map itself, to ECS, and to Lift.
const (
	ipv4Attribute   = "AWS_INSTANCE_IPV4"
	ipv6Attribute   = "AWS_INSTANCE_IPV6"
	nameAttribute   = "AWS_INSTANCE_CNAME"
	portAttribute   = "AWS_INSTANCE_PORT"
	zoneAttribute   = "zone"
	ecsZone         = "AVAILABILITY_ZONE"
	weightAttribute = "weight"
)

// maxWeight is the largest weight of an endpoint.
const maxWeight = 1000

// answer is the content of one answer.
type answer struct {
	set      []lift.Endpoint // never nil, sorted by id
	revision int64
}

type instance struct {
	InstanceID string `json:"InstanceId"`
	Attributes map[string]string
}

// parse reads an answer to DiscoverInstances. port is for instances without one. It
// leaves out instances without a usable address; if no instance is left, it returns an
// error.
func parse(text []byte, port int) (answer, error) {
	var got struct {
		Instances         *[]instance
		InstancesRevision int64
	}
	if err := json.Unmarshal(text, &got); err != nil || got.Instances == nil {
		return answer{}, errors.New("its answer is not the expected JSON; is that Cloud Map?")
	}
	a := answer{set: make([]lift.Endpoint, 0, len(*got.Instances)), revision: got.InstancesRevision}
	var lost error
	for _, i := range *got.Instances {
		ep, err := i.endpoint(port)
		if err != nil {
			lost = err
			continue
		}
		a.set = append(a.set, ep)
	}
	if len(a.set) == 0 && lost != nil {
		return answer{}, fmt.Errorf("no instance has a usable address and port; for example, %w", lost)
	}
	slices.SortFunc(a.set, func(x, y lift.Endpoint) int { return cmp.Compare(x.ID, y.ID) })
	a.set = slices.CompactFunc(a.set, func(x, y lift.Endpoint) bool { return x.ID == y.ID })
	return a, nil
}

func parseRevision(text []byte) (int64, error) {
	var got struct{ InstancesRevision *int64 }
	if err := json.Unmarshal(text, &got); err != nil || got.InstancesRevision == nil {
		return 0, errors.New("Cloud Map: the answer holds no InstancesRevision")
	}
	return *got.InstancesRevision, nil
}

// endpoint returns the endpoint of one instance.
func (i *instance) endpoint(port int) (lift.Endpoint, error) {
	ep := lift.Endpoint{ID: i.InstanceID, Zone: cmp.Or(i.Attributes[zoneAttribute], i.Attributes[ecsZone])}
	if ep.ID == "" {
		return ep, errors.New("one without an InstanceId")
	}
	host, err := i.host()
	if err != nil {
		return ep, fmt.Errorf("%s: %w", clip(ep.ID), err)
	}
	if s, ok := i.Attributes[portAttribute]; ok {
		if port, err = strconv.Atoi(s); err != nil {
			port = -1
		}
	}
	if port < 1 || port > 65535 {
		return ep, fmt.Errorf("%s: it has no %s; register it with one, or set cloudmap.port", clip(ep.ID), portAttribute)
	}
	ep.Addr = net.JoinHostPort(host, strconv.Itoa(port))
	if w, err := strconv.Atoi(i.Attributes[weightAttribute]); err == nil {
		ep.Weight = min(max(w, 1), maxWeight)
	}
	for name, value := range i.Attributes {
		if !strings.HasPrefix(name, "AWS_") {
			ep.Tags = append(ep.Tags, name+"="+value)
		}
	}
	slices.Sort(ep.Tags)
	return ep, nil
}

// host returns the instance's host: IPv4 before IPv6 before a name.
func (i *instance) host() (string, error) {
	for _, name := range []string{ipv4Attribute, ipv6Attribute} {
		if s, ok := i.Attributes[name]; ok {
			a, err := netip.ParseAddr(s)
			if a = a.Unmap(); err != nil || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
				return "", fmt.Errorf("its %s is not a usable address", name)
			}
			return a.String(), nil
		}
	}
	name := i.Attributes[nameAttribute]
	if name == "" || len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) {
		return "", fmt.Errorf("it has neither %s nor %s nor %s", ipv4Attribute, ipv6Attribute, nameAttribute)
	}
	return name, nil
}

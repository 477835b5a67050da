package cloudmap

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	one := func(attributes ...string) string {
		m := map[string]string{}
		for i := 0; i < len(attributes); i += 2 {
			m[attributes[i]] = attributes[i+1]
		}
		text, _ := json.Marshal(map[string]any{"Instances": []any{map[string]any{"InstanceId": "i", "HealthStatus": "UNKNOWN", "Attributes": m}}, "InstancesRevision": 7})
		return string(text)
	}
	for name, tt := range map[string]struct{ text, want, says string }{
		"IPv4":      {one(ipv4Attribute, "10.0.0.1", ipv6Attribute, "fd00::1", portAttribute, "80"), "i 10.0.0.1:80", ""},
		"IPv6":      {one(ipv6Attribute, "fd00::1", portAttribute, "80"), "i [fd00::1]:80", ""},
		"name":      {one(nameAttribute, "x.example.com", portAttribute, "80"), "i x.example.com:80", ""},
		"no port":   {one(ipv4Attribute, "10.0.0.1"), "i 10.0.0.1:8080", ""},
		"ECS":       {one(ipv4Attribute, "10.0.0.1", portAttribute, "80", "AVAILABILITY_ZONE", "eu-west-1a", "ECS_SERVICE_NAME", "s"), "i 10.0.0.1:80 zone eu-west-1a AVAILABILITY_ZONE=eu-west-1a,ECS_SERVICE_NAME=s", ""},
		"Lift":      {one(ipv4Attribute, "10.0.0.1", "zone", "euw1-az1", "AVAILABILITY_ZONE", "eu-west-1a", "weight", "5000"), "i 10.0.0.1:8080 zone euw1-az1 weight 1000 AVAILABILITY_ZONE=eu-west-1a,weight=5000,zone=euw1-az1", ""},
		"nobody":    {`{"Instances":[]}`, "", ""},
		"a mixture": {`{"Instances":[{"InstanceId":"b","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.2"}},{"InstanceId":"x"},{"InstanceId":"a","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1"}},{"InstanceId":"a","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1"}}]}`, "a 10.0.0.1:8080|b 10.0.0.2:8080", ""},

		"bad port":    {one(ipv4Attribute, "10.0.0.1", portAttribute, "http"), "", "no AWS_INSTANCE_PORT"},
		"bad address": {one(ipv4Attribute, "0.0.0.0"), "", "its AWS_INSTANCE_IPV4 is not a usable address"},
		"bad name":    {one(nameAttribute, "x/y"), "", "neither"},
		"no address":  {one("color", "blue"), "", "i: it has neither AWS_INSTANCE_IPV4"},
		"no id":       {`{"Instances":[{}]}`, "", "without an InstanceId"},
		"no list":     {`{"message":"hello"}`, "", "is that Cloud Map?"},
		"no JSON":     {`<html>`, "", "is that Cloud Map?"},
	} {
		a, err := parse([]byte(tt.text), 8080)
		var got []string
		for _, ep := range a.set {
			s := ep.ID + " " + ep.Addr
			if ep.Zone != "" {
				s += " zone " + ep.Zone
			}
			if ep.Weight != 0 {
				s += fmt.Sprint(" weight ", ep.Weight)
			}
			if len(ep.Tags) > 0 {
				s += " " + strings.Join(ep.Tags, ",")
			}
			got = append(got, s)
		}
		if strings.Join(got, "|") != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n, err := parseRevision([]byte(`{"InstancesRevision":7}`)); n != 7 || err != nil {
		t.Error(n, err)
	}
	for _, s := range []string{`{}`, `x`, `{"InstancesRevision":"x"}`} {
		if _, err := parseRevision([]byte(s)); err == nil {
			t.Errorf("%s is read", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Instances":[{"InstanceId":"a","Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.1","AWS_INSTANCE_PORT":"80","weight":"-1","zone":"z"}}],"InstancesRevision":1}`), 80)
	f.Add([]byte(`{"Instances":[{"InstanceId":"a","Attributes":{"AWS_INSTANCE_CNAME":"x"}}]}`), 0)
	f.Fuzz(func(t *testing.T, text []byte, port int) {
		a, err := parse(text, port)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, ep := range a.set {
			host, port, err := net.SplitHostPort(ep.Addr)
			if err != nil || host == "" || port == "0" || ep.ID == "" || seen[ep.ID] || ep.Weight < 0 || ep.Weight > 1000 || strings.ContainsAny(ep.Addr, " \r\n/") {
				t.Errorf("%+v", ep)
			}
			seen[ep.ID] = true
		}
		_, _ = parseRevision(text)
	})
}

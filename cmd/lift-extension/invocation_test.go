package main

import (
	"encoding/json"
	"testing"
	"time"
)

func TestInvocation(t *testing.T) {
	end := time.Unix(1_800_000_000, 0)
	later := end.Add(time.Minute)
	for _, tt := range []struct {
		name string
		news func(i *invocation)
		want time.Time
	}{
		{"none", func(*invocation) {}, time.Time{}},
		{"told by Lambda", func(i *invocation) { i.started("1", end) }, end},
		{"told by both", func(i *invocation) { i.started("1", end); i.started("1", end) }, end},
		{"over", func(i *invocation) { i.started("1", end); i.ended("1") }, time.Time{}},
		{"over before Lambda's news came", func(i *invocation) { i.started("1", end); i.ended("1"); i.started("1", end) }, time.Time{}},
		{"the next one", func(i *invocation) { i.started("1", end); i.ended("1"); i.started("2", later) }, later},
		{"the last one's end comes late", func(i *invocation) { i.started("1", end); i.started("2", later); i.ended("1") }, later},
		{"many at a time", func(i *invocation) { i.many = true; i.started("1", end) }, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var i invocation
			tt.news(&i)
			if got := i.deadline(); !got.Equal(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestBrokenMetricIsWhatCloudWatchReads(t *testing.T) {
	var m struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace string
				Metrics   []struct{ Name, Unit string }
			}
		} `json:"_aws"`
		Problems int `json:"config_problems"`
	}
	if err := json.Unmarshal([]byte(brokenMetric(time.UnixMilli(1795390740358), 3)), &m); err != nil {
		t.Fatal(err)
	}
	if m.AWS.Timestamp != 1795390740358 || m.Problems != 3 || m.AWS.CloudWatchMetrics[0].Namespace != "Lift" || m.AWS.CloudWatchMetrics[0].Metrics[0].Name != "config_problems" {
		t.Errorf("got %+v", m)
	}
}

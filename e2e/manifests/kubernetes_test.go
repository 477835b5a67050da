package manifests

import (
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kubernetes.yaml says nothing that Kubernetes' own types do not know; Lift is a
// native sidecar, and its containers meet.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile(folder + "kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shop *appsv1.Deployment
	config := ""
	seen := map[string]bool{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		strict := func(into any) {
			t.Helper()
			if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
				t.Errorf("%s: %v\n%s", kind.Kind, err, document)
			}
		}
		name := ""
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 ConfigMap":
			var m corev1.ConfigMap
			strict(&m)
			name, config = m.Name, m.Data["lift.yaml"]
		case "v1 Service":
			var s corev1.Service
			strict(&s)
			name = s.Name
			if s.Spec.ClusterIP != corev1.ClusterIPNone {
				t.Error("the service is not headless")
			}
		case "apps/v1 Deployment":
			var d appsv1.Deployment
			strict(&d)
			name = d.Name
			if !selects(&d) {
				t.Errorf("%s does not select its own pods", name)
			}
			if name == "shop" {
				shop = &d
			}
		default:
			t.Errorf("%s %s is not known here", kind.APIVersion, kind.Kind)
		}
		seen[kind.Kind+"/"+name] = true
	}
	for _, want := range []string{"ConfigMap/lift", "Deployment/shop", "Service/orders", "Deployment/orders"} {
		if !seen[want] {
			t.Errorf("there is no %s", want)
		}
	}
	if !strings.Contains(config, "socket: "+socket) {
		t.Errorf("the ConfigMap's socket is another: %s", config)
	}
	pod := shop.Spec.Template.Spec
	sidecar := pod.InitContainers[0]
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("Lift is no native sidecar")
	}
	if !slices.Equal(sidecar.StartupProbe.Exec.Command, []string{"/lift-extension", "health"}) {
		t.Error("the shop does not wait for Lift")
	}
	where := func(c corev1.Container, path string) string {
		for _, m := range c.VolumeMounts {
			if m.MountPath == path && m.SubPath == "" {
				return m.Name
			}
		}
		return "none"
	}
	if a, b := where(sidecar, socketFolder), where(pod.Containers[0], socketFolder); a != b || !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
		return v.Name == a && v.EmptyDir != nil
	}) {
		t.Errorf("the socket's volume is %q here, %q there", a, b)
	}
	if a := where(sidecar, configFolder); !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
		return v.Name == a && v.ConfigMap != nil && v.ConfigMap.Name == "lift"
	}) {
		t.Error("the configuration is not the ConfigMap's")
	}
}

func selects(d *appsv1.Deployment) bool {
	for k, v := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[k] != v {
			return false
		}
	}
	return len(d.Spec.Selector.MatchLabels) > 0
}

package wire_test

import (
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

func TestServicesThereAndBack(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	in := []lift.ServiceStatus{
		{Name: "bad", From: "dns", Broken: "line 7", At: at},
		{Name: "new", At: at, Error: "no route"},
		{Name: "nobody", At: at, Told: at, Endpoints: []lift.EndpointStatus{}},
		{Name: "orders", From: "static", At: at, Told: at.Add(-time.Minute), Endpoints: []lift.EndpointStatus{{
			Endpoint: lift.Endpoint{ID: "1", Addr: "a:1", Zone: "z", Weight: 2, Tags: []string{"v2"}},
			State:    "open", Why: "refused", Until: at.Add(time.Second), InFlight: 3, Failures: 4,
			Usual: time.Millisecond, Open: 5, Idle: 2, Attempts: 1 << 40, Failed: 7,
		}}},
	}
	message, err := proto.Marshal(&liftv1.ServicesResponse{Services: wire.Services(in)})
	if err != nil {
		t.Fatal(err)
	}
	var out liftv1.ServicesResponse
	if err := proto.Unmarshal(message, &out); err != nil {
		t.Fatal(err)
	}
	if got := wire.FromServices(out.GetServices()); !reflect.DeepEqual(got, in) {
		t.Errorf("got  %+v\nwant %+v", got, in)
	}
}

// What a registry tells of may be any bytes; none of them may break the answer.
func FuzzServices(f *testing.F) {
	f.Add("orders", "a:1", "tag", int64(5))
	f.Add("\xff", "\x00\xfe", "\xc3\x28", int64(-1<<62))
	f.Fuzz(func(t *testing.T, name, addr, tag string, n int64) {
		in := []lift.ServiceStatus{{Name: name, Broken: tag, Told: time.Unix(n, 1), Endpoints: []lift.EndpointStatus{{
			Endpoint: lift.Endpoint{Addr: addr, Tags: []string{tag}, Weight: int(n)}, Why: name, Until: time.Unix(0, n), InFlight: int(n), Open: int(n),
		}}}}
		message, err := proto.Marshal(&liftv1.ServicesResponse{Services: wire.Services(in)})
		if err != nil {
			t.Fatal(err)
		}
		var out liftv1.ServicesResponse
		if err := proto.Unmarshal(message, &out); err != nil {
			t.Fatal(err)
		}
		if got := wire.FromServices(out.GetServices()); len(got) != 1 || len(got[0].Endpoints) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

package sdk_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// What the SDK itself adds to a call: the caller below answers at once.
func BenchmarkCall(b *testing.B) {
	answer := []byte(`{"id":7,"state":"paid"}`)
	header := []lift.Field{{Name: "content-type", Value: "application/json"}}
	client := sdk.New(lift.CallerFunc(func(*lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 200, Header: header, Body: lift.BytesBody(answer)}, nil
	}))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sdk.Post[Order](ctx, client, "orders", "/v1/orders", Order{ID: 7}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("http", func(b *testing.B) {
		b.ReportAllocs()
		hc := client.HTTPClient()
		for b.Loop() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://orders/v1/orders", bytes.NewReader(answer))
			resp, err := hc.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}

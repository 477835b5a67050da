package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	codepb "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/cmd/lift/rpc"
)

// rpcJSON is the output of `lift call --json` for a gRPC call.
type rpcJSON struct {
	Service  string              `json:"service"`
	Method   string              `json:"method"`
	TookMS   float64             `json:"took_ms"`
	Status   *statusJSON         `json:"status,omitempty"` // none: there was no answer
	Header   map[string][]string `json:"header,omitempty"`
	Messages []json.RawMessage   `json:"messages"`
	Trailer  map[string][]string `json:"trailer,omitempty"`
	Attempts []attemptJSON       `json:"attempts"`
	Error    *errorJSON          `json:"error,omitempty"`
}

type statusJSON struct {
	Code    string            `json:"code"` // as NOT_FOUND
	Message string            `json:"message,omitempty"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// message takes one message of the answer.
func (j *rpcJSON) message(line []byte) error {
	j.Messages = append(j.Messages, slices.Clone(line))
	return nil
}

// fill adds what is known at the end of the call.
func (j *rpcJSON) fill(reply *rpc.Reply, s *status.Status, m rpc.Method, took time.Duration, attempts []lift.AttemptRecord, began lift.Instant, err error) {
	if j.Messages == nil {
		j.Messages = []json.RawMessage{}
	}
	j.TookMS, j.Attempts = millis(took), attemptsJSON(attempts, began)
	j.Header, j.Trailer = metadataJSON(reply.Header), metadataJSON(reply.Trailer)
	if s == nil {
		j.Error = failureJSON(err)
		return
	}
	j.Status = &statusJSON{Code: codeName(s), Message: s.Message()}
	for _, line := range m.Details(s) {
		j.Status.Details = append(j.Status.Details, line)
	}
}

// codeName is a code as specifications write it: NOT_FOUND.
func codeName(s *status.Status) string { return codepb.Code(s.Code()).String() } //nolint:gosec // a code

func writeMethods(w io.Writer, all []rpc.Method) error {
	for _, m := range all {
		if _, err := fmt.Fprintln(w, m); err != nil {
			return err
		}
	}
	return nil
}

// metadataJSON shows values of names in -bin as base64, as they are sent.
func metadataJSON(md metadata.MD) map[string][]string {
	if len(md) == 0 {
		return nil
	}
	all := make(map[string][]string, len(md))
	for name, values := range md {
		for _, v := range values {
			if strings.HasSuffix(name, "-bin") {
				v = base64.StdEncoding.EncodeToString([]byte(v))
			}
			all[name] = append(all[name], v)
		}
	}
	return all
}

func writeMetadata(w io.Writer, before string, md metadata.MD) {
	all := metadataJSON(md)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, v := range all[name] {
			_, _ = fmt.Fprintf(w, "%s%s: %s\n", before, name, v)
		}
	}
}

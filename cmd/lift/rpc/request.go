package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// newValues reads JSON values one after the other, with or without anything but
// white space between them.
func newValues(r io.Reader) *json.Decoder {
	if r == nil {
		r = bytes.NewReader(nil)
	}
	return json.NewDecoder(r)
}

// next is the next value as a request; io.EOF after the last one.
func (m Method) next(values *json.Decoder) (proto.Message, error) {
	var value json.RawMessage
	err := values.Decode(&value)
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, RequestError{fmt.Errorf("the request is no JSON: %w", err)}
	}
	request := dynamicpb.NewMessage(m.descriptor.Input())
	if err := (protojson.UnmarshalOptions{Resolver: m.types}).Unmarshal(value, request); err != nil {
		return nil, RequestError{fmt.Errorf("the request is no %s: %w", m.descriptor.Input().FullName(), err)}
	}
	return request, nil
}

// only is the one request there may be; an empty one if there is none.
func (m Method) only(values *json.Decoder) (proto.Message, error) {
	request, err := m.next(values)
	if errors.Is(err, io.EOF) {
		return dynamicpb.NewMessage(m.descriptor.Input()), nil
	}
	if err != nil {
		return nil, err
	}
	if values.More() {
		return nil, RequestError{fmt.Errorf("%s takes one message, and there are several", m.Name())}
	}
	return request, nil
}

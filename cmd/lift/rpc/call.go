package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Reply is the head and the tail of an answer. Both may be nil where none came.
type Reply struct{ Header, Trailer metadata.MD }

// Call makes one call over conn: each JSON value of requests goes out as one
// message as soon as it is there, and each that comes back is given to answer as
// one line of JSON. A method that takes one message takes exactly one value, or
// none for an empty message. requests may be nil.
//
// An error of conn is returned as it is, a gRPC status among them; [RequestError]
// is a request that is not what the method takes, and what answer returns ends
// the call. The reply is good as far as it came.
func (m Method) Call(ctx context.Context, conn grpc.ClientConnInterface, requests io.Reader, answer func([]byte) error) (*Reply, error) {
	values := newValues(requests)
	path := "/" + m.Name()
	reply := &Reply{}
	if !m.descriptor.IsStreamingClient() && !m.descriptor.IsStreamingServer() {
		request, err := m.only(values)
		if err != nil {
			return reply, err
		}
		response := dynamicpb.NewMessage(m.descriptor.Output())
		if err := conn.Invoke(ctx, path, request, response, grpc.Header(&reply.Header), grpc.Trailer(&reply.Trailer)); err != nil {
			return reply, err
		}
		return reply, m.hand(response, answer)
	}
	return reply, m.stream(ctx, conn, path, values, answer, reply)
}

// RequestError is a request that is not what the method takes.
type RequestError struct{ error }

// Unwrap returns the cause.
func (e RequestError) Unwrap() error { return e.error }

func (m Method) stream(ctx context.Context, conn grpc.ClientConnInterface, path string, values *json.Decoder, answer func([]byte) error, reply *Reply) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the stream is over when we are, whatever was left of it
	var only proto.Message
	if !m.descriptor.IsStreamingClient() {
		var err error
		if only, err = m.only(values); err != nil {
			return err
		}
	}
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{
		ClientStreams: m.descriptor.IsStreamingClient(), ServerStreams: m.descriptor.IsStreamingServer(),
	}, path)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		err := m.send(s, only, values)
		sent <- err
		if _, ours := errors.AsType[RequestError](err); ours {
			cancel() // no answer is worth waiting for
		}
	}()
	err = m.receive(s, answer)
	reply.Header, _ = s.Header() // what it fails of, receive has told
	reply.Trailer = s.Trailer()
	select {
	case failed := <-sent: // what else a send fails of, receive tells
		if _, ours := errors.AsType[RequestError](failed); ours {
			return failed
		}
	default: // the answer has ended before the requests have; a read of them is not ours to end
	}
	return err
}

// send sends what there is to send. It contains its panics: it runs beside.
func (m Method) send(s grpc.ClientStream, only proto.Message, values *json.Decoder) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = RequestError{fmt.Errorf("internal: a request was not sent: %v", p)}
		}
	}()
	if only != nil {
		err = s.SendMsg(only)
	}
	for only == nil && err == nil {
		var request proto.Message
		if request, err = m.next(values); err == nil {
			err = s.SendMsg(request)
		}
	}
	if err != nil && err != io.EOF { //nolint:errorlint // the end of the requests is io.EOF itself
		return err
	}
	return s.CloseSend()
}

func (m Method) receive(s grpc.ClientStream, answer func([]byte) error) error {
	for {
		response := dynamicpb.NewMessage(m.descriptor.Output())
		err := s.RecvMsg(response)
		if err == io.EOF { //nolint:errorlint // a stream's end is io.EOF itself
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.hand(response, answer); err != nil {
			return err
		}
		if !m.descriptor.IsStreamingServer() {
			return nil
		}
	}
}

func (m Method) hand(response proto.Message, answer func([]byte) error) error {
	line, err := m.compact(response, protojson.MarshalOptions{})
	if err != nil {
		return fmt.Errorf("the answer of %s cannot be written as JSON: %w", m.Name(), err)
	}
	return answer(line)
}

// compact is a message as one line of JSON. protojson varies its white space on
// purpose.
func (m Method) compact(message proto.Message, o protojson.MarshalOptions) ([]byte, error) {
	o.Resolver = m.types
	text, err := o.Marshal(message)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	err = json.Compact(&line, text)
	return line.Bytes(), err
}

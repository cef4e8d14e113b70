package interceptors

import (
	"bytes"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that is wrapped
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codec lets a request that cannot be decoded reach the chain. gRPC decodes a
// unary request before any interceptor runs and answers a failure with
// INTERNAL and the decoder's text; here the message arrives empty and marked,
// and the chain refuses it with a reason after the caller was authenticated.
//
// A client can send the mark. It is refused the same way.
type codec struct{ encoding.CodecV2 }

func newCodec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

// mark is an unknown field with the highest number there is, empty.
var mark = protowire.AppendBytes(protowire.AppendTag(nil, protowire.MaxValidNumber, protowire.BytesType), []byte("undecodable"))

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return err
	}
	proto.Reset(m)
	m.ProtoReflect().SetUnknown(mark)
	return nil
}

func undecodable(m proto.Message) bool {
	unknown := m.ProtoReflect().GetUnknown()
	return len(unknown) > 0 && bytes.Contains(unknown, mark)
}

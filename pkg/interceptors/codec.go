package interceptors

import (
	"bytes"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that is wrapped
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codec lets a request that cannot be decoded, or is too large, reach the
// chain. gRPC decodes a unary request before any interceptor runs and answers a
// failure itself, with the decoder's text; here the message arrives empty and
// marked, and the chain refuses it with a reason after the caller was
// authenticated.
//
// A client can send the marks. They are refused the same way.
type codec struct {
	encoding.CodecV2

	limit int // bytes of a message
}

func newCodec(limit int) encoding.CodecV2 {
	return codec{CodecV2: encoding.GetCodecV2("proto"), limit: limit}
}

// The marks are unknown fields with the highest number there is.
var (
	markUndecodable = mark("undecodable")
	markTooLarge    = mark("too large")
)

func mark(text string) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, protowire.MaxValidNumber, protowire.BytesType), []byte(text))
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if ok && data.Len() > c.limit {
		proto.Reset(m)
		m.ProtoReflect().SetUnknown(markTooLarge)
		return nil
	}
	err := c.CodecV2.Unmarshal(data, v)
	if err == nil || !ok {
		return err
	}
	proto.Reset(m)
	m.ProtoReflect().SetUnknown(markUndecodable)
	return nil
}

// marked returns the refusal of a message that the codec marked, nil if it did
// not.
func marked(m proto.Message) error {
	switch unknown := m.ProtoReflect().GetUnknown(); {
	case len(unknown) == 0:
		return nil
	case bytes.Contains(unknown, markTooLarge):
		return errMessage
	case bytes.Contains(unknown, markUndecodable):
		return errEncoding
	default:
		return nil
	}
}

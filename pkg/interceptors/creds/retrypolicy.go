package creds

import (
	"encoding/json"
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// serviceConfig balances over all addresses and repeats UNAVAILABLE calls,
// with jitter and a throttle, after the pause that the server asks for if it
// does (grpc-retry-pushback-ms), but only of methods whose .proto says that
// repeating is safe (idempotency_level). For any other method UNAVAILABLE may
// mean "done, and the answer was lost", and only the caller knows what to do.
// It is made from the descriptors that are linked into the process.
var serviceConfig = sync.OnceValue(func() string {
	config := config{
		LoadBalancing: []map[string]any{{"round_robin": map[string]any{}}},
		Throttling:    map[string]any{"maxTokens": 10, "tokenRatio": 0.1},
	}
	if names := repeatable(); len(names) > 0 {
		config.Methods = []methodConfig{{
			Names: names,
			Retry: map[string]any{
				"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
				"retryableStatusCodes": []string{"UNAVAILABLE"},
			},
		}}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "{}"
	}
	return string(text)
})

// config is a gRPC service config (gRFC A6).
type config struct {
	LoadBalancing []map[string]any `json:"loadBalancingConfig"`
	Methods       []methodConfig   `json:"methodConfig,omitempty"`
	Throttling    map[string]any   `json:"retryThrottling"`
}

type methodConfig struct {
	Names []methodName   `json:"name"`
	Retry map[string]any `json:"retryPolicy"`
}

type methodName struct {
	Service string `json:"service"`
	Method  string `json:"method"`
}

func repeatable() []methodName {
	var out []methodName
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				if m := methods.Get(j); safe(m) {
					out = append(out, methodName{Service: string(m.Parent().FullName()), Method: string(m.Name())})
				}
			}
		}
		return true
	})
	return out
}

// safe tells whether the .proto says that repeating a call of m is.
func safe(m protoreflect.MethodDescriptor) bool {
	options, ok := m.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN && !m.IsStreamingClient()
}

// mayRepeat is safe for a method as it is named in a call, "/package.Service/Method".
func mayRepeat(method string) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return false
	}
	m, ok := found.(protoreflect.MethodDescriptor)
	return ok && safe(m)
}

module github.com/curfew-platform/curfew/pkg/interceptors

go 1.26.0

require (
	buf.build/go/protovalidate v1.4.0
	github.com/MicahParks/jwkset v0.11.3
	github.com/curfew-platform/curfew/proto v0.0.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/google/go-cmp v0.7.0
	github.com/google/uuid v1.6.0
	github.com/grpc-ecosystem/go-grpc-middleware/v2 v2.3.4
	github.com/maypok86/otter/v2 v2.4.0
	go.uber.org/goleak v1.3.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261005182115-fad411399dd8
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	pgregory.net/rapid v1.3.0
)

require golang.org/x/sys v0.49.0 // indirect

replace github.com/curfew-platform/curfew/proto => ../../proto

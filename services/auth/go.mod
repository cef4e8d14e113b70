module github.com/curfew-platform/curfew/services/auth

go 1.26.0

replace (
	github.com/curfew-platform/curfew/pkg/interceptors => ../../pkg/interceptors
	github.com/curfew-platform/curfew/pkg/lifecycle => ../../pkg/lifecycle
	github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver => ../../pkg/lifecycle/grpcserver
	github.com/curfew-platform/curfew/pkg/lifecycle/kafka => ../../pkg/lifecycle/kafka
	github.com/curfew-platform/curfew/pkg/lifecycle/postgres => ../../pkg/lifecycle/postgres
	github.com/curfew-platform/curfew/pkg/lifecycle/supervisor => ../../pkg/lifecycle/supervisor
	github.com/curfew-platform/curfew/pkg/localenv => ../../pkg/localenv
	github.com/curfew-platform/curfew/pkg/server => ../../pkg/server
	github.com/curfew-platform/curfew/proto => ../../proto
)

require (
	github.com/curfew-platform/curfew/pkg/interceptors v0.0.0
	github.com/curfew-platform/curfew/pkg/interceptors/telemetry v0.0.0
	github.com/curfew-platform/curfew/pkg/lifecycle v0.0.0
	github.com/curfew-platform/curfew/pkg/lifecycle/postgres v0.0.0-00010101000000-000000000000
	github.com/curfew-platform/curfew/pkg/localenv v0.0.0-00010101000000-000000000000
	github.com/curfew-platform/curfew/pkg/server v0.0.0-00010101000000-000000000000
	github.com/curfew-platform/curfew/proto v0.0.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/google/go-cmp v0.7.0
	github.com/google/uuid v1.6.0
	github.com/jackc/pgx/v5 v5.12.0
	github.com/maypok86/otter/v2 v2.4.0
	go.uber.org/goleak v1.3.0
	golang.org/x/crypto v0.58.0
	golang.org/x/text v0.43.0
	google.golang.org/genproto/googleapis/api v0.0.0-20261012220534-4341edf3f941
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	go.opentelemetry.io/contrib/bridges/otelslog v0.21.0 // indirect
	go.opentelemetry.io/contrib/instrumentation/runtime v0.72.0 // indirect
	go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc v0.23.0 // indirect
	go.opentelemetry.io/otel/sdk/log v1.47.0 // indirect
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2 // indirect
	buf.build/go/protovalidate v1.4.0 // indirect
	cel.dev/cel-go v0.32.0 // indirect
	cel.dev/expr v0.25.3 // indirect
	github.com/MicahParks/jwkset v0.11.3 // indirect
	github.com/alecthomas/kong v1.17.0 // indirect
	github.com/antlr4-go/antlr/v4 v4.13.1 // indirect
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver v0.0.0-00010101000000-000000000000
	github.com/curfew-platform/curfew/pkg/lifecycle/supervisor v0.0.0-00010101000000-000000000000 // indirect
	github.com/curfew-platform/curfew/pkg/lifecycle/telemetry v0.0.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/grpc-ecosystem/go-grpc-middleware/v2 v2.3.4 // indirect
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.32.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/mfridman/interpolate v0.0.2 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/pressly/goose/v3 v3.29.0 // indirect
	github.com/sethvargo/go-retry v0.5.0 // indirect
	github.com/tink-crypto/tink-go/v2 v2.9.0 // indirect
	github.com/twmb/franz-go v1.22.2 // indirect
	github.com/twmb/franz-go/pkg/kmsg v1.15.0 // indirect
	github.com/ulikunitz/xz v0.5.17 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.72.0 // indirect
	go.opentelemetry.io/otel v1.47.0
	go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc v1.47.0 // indirect
	go.opentelemetry.io/otel/exporters/otlp/otlptrace v1.47.0 // indirect
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc v1.47.0 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.opentelemetry.io/otel/metric v1.47.0
	go.opentelemetry.io/otel/sdk v1.47.0 // indirect
	go.opentelemetry.io/otel/sdk/metric v1.47.0 // indirect
	go.opentelemetry.io/otel/trace v1.47.0 // indirect
	go.opentelemetry.io/proto/otlp v1.11.1 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.9.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261012220534-4341edf3f941
)

replace github.com/curfew-platform/curfew/pkg/lifecycle/telemetry => ../../pkg/lifecycle/telemetry

replace github.com/curfew-platform/curfew/pkg/interceptors/telemetry => ../../pkg/interceptors/telemetry

module github.com/curfew-platform/curfew/bench/peers

go 1.26.0

replace github.com/curfew-platform/curfew/pkg/lifecycle => ../../pkg/lifecycle

replace github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver => ../../pkg/lifecycle/grpcserver

require (
	github.com/curfew-platform/curfew/pkg/lifecycle v0.0.0
	github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver v0.0.0
	github.com/go-kratos/kratos/v2 v2.8.3
	github.com/google/go-cmp v0.7.0
	github.com/oklog/run v1.2.0
	github.com/thejerf/suture/v4 v4.0.6
	go.uber.org/fx v1.24.0
	golang.org/x/sync v0.24.0
	google.golang.org/grpc v1.85.0
)

require (
	github.com/go-playground/form/v4 v4.2.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	go.uber.org/dig v1.19.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.26.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

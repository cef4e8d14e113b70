module github.com/curfew-platform/curfew/pkg/lifecycle/supervisor

go 1.26.0

require (
	github.com/curfew-platform/curfew/pkg/lifecycle v0.0.0
	github.com/curfew-platform/curfew/proto v0.0.0
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.61.0
	golang.org/x/sys v0.49.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261012220534-4341edf3f941 // indirect
)

replace (
	github.com/curfew-platform/curfew/pkg/lifecycle => ../
	github.com/curfew-platform/curfew/proto => ../../../proto
)

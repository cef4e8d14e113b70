module github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver

go 1.26.0

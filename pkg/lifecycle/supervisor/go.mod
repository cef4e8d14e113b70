module github.com/curfew-platform/curfew/pkg/lifecycle/supervisor

go 1.26.0

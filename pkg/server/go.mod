module github.com/curfew-platform/curfew/pkg/server

go 1.26.0

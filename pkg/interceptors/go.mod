module github.com/curfew-platform/curfew/pkg/interceptors

go 1.26.0

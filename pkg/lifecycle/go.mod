module github.com/curfew-platform/curfew/pkg/lifecycle

go 1.26.0

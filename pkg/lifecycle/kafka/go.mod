module github.com/curfew-platform/curfew/pkg/lifecycle/kafka

go 1.26.0

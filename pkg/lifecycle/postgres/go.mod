module github.com/curfew-platform/curfew/pkg/lifecycle/postgres

go 1.26.0

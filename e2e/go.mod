module github.com/curfew-platform/curfew/e2e

go 1.26.0

module github.com/curfew-platform/curfew/cmd/curfew

go 1.26.0

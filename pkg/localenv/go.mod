module github.com/curfew-platform/curfew/pkg/localenv

go 1.26.0

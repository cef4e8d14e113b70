module github.com/curfew-platform/curfew/bench

go 1.26.0

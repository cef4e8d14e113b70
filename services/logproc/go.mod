module github.com/curfew-platform/curfew/services/logproc

go 1.26.0

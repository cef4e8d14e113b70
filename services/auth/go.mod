module github.com/curfew-platform/curfew/services/auth

go 1.26.0

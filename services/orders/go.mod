module github.com/curfew-platform/curfew/services/orders

go 1.26.0

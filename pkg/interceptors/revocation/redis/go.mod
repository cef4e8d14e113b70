module github.com/curfew-platform/curfew/pkg/interceptors/revocation/redis

go 1.26.0

require (
	github.com/curfew-platform/curfew/pkg/interceptors v0.0.0
	github.com/curfew-platform/curfew/pkg/localenv v0.0.0
	github.com/redis/go-redis/v9 v9.23.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/curfew-platform/curfew/pkg/interceptors => ../../
	github.com/curfew-platform/curfew/pkg/lifecycle => ../../../lifecycle
	github.com/curfew-platform/curfew/pkg/lifecycle/kafka => ../../../lifecycle/kafka
	github.com/curfew-platform/curfew/pkg/localenv => ../../../localenv
	github.com/curfew-platform/curfew/proto => ../../../../proto
)

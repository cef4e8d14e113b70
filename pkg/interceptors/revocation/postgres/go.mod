module github.com/curfew-platform/curfew/pkg/interceptors/revocation/postgres

go 1.26.0

require (
	github.com/curfew-platform/curfew/pkg/interceptors v0.0.0
	github.com/curfew-platform/curfew/pkg/localenv v0.0.0
	github.com/jackc/pgx/v5 v5.12.0
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/ulikunitz/xz v0.5.17 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace (
	github.com/curfew-platform/curfew/pkg/interceptors => ../../
	github.com/curfew-platform/curfew/pkg/lifecycle => ../../../lifecycle
	github.com/curfew-platform/curfew/pkg/lifecycle/kafka => ../../../lifecycle/kafka
	github.com/curfew-platform/curfew/pkg/localenv => ../../../localenv
	github.com/curfew-platform/curfew/proto => ../../../../proto
)

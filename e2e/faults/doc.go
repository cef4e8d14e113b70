// Package faults runs a whole installation of the leased feed, three replicas of
// services/auth, six of a service, one PostgreSQL, all of them processes, and
// breaks it: processes are killed, stopped and continued, the network between
// them is cut, the database restarts, replicas join and leave. Meanwhile
// clients log in, call, stream and revoke, and every token's history is judged.
package faults

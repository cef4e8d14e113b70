// Package server is what the services of Curfew have in common as programs:
// flags and environment (Settings), the command line (Main), and the gRPC
// server with its interceptor chain, health, TLS and HTTP/JSON edge (Add), all
// owned by one lifecycle group.
//
// A service is a Command. Its own binary and `curfew run` pass the same Command
// to Main, so there is one composition root and never a second program.
//
// What not every service needs is in a package of its own:
//
//   - guard: tokens and revocations of a service that is guarded by services/auth
//   - database, idempotency, pagetoken: PostgreSQL, commands that are safe to
//     repeat, pages
//   - kafkaconn, dedup: Kafka clients, consumers that see an event once
//   - keyset: secret keys that replicas share
//   - logship, otlp: where logs, traces and metrics go
package server

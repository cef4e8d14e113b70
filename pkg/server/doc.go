// Package server is what the services of Curfew have in common as programs:
// flags and environment (Settings), the command line (Main), and the gRPC
// server with its interceptor chain, health, TLS and HTTP/JSON edge (Add), all
// owned by one lifecycle group.
//
// A service is a Command. Its own binary and `curfew run` pass the same Command
// to Main, so there is one composition root and never a second program.
package server

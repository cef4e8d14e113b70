// Package rpc is the gRPC side of the orders service: requests become domain
// values, domain values become messages, and errors become statuses, nothing
// else. One method, one file.
package rpc

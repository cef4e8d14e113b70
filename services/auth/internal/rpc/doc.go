// Package rpc is the gRPC face of services/auth: it turns messages into calls
// of the use cases and their results into messages, and errors into statuses
// in one place.
package rpc

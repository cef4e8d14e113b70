// Package quickstart is the code of docs/add-to-your-service.md: what a service
// needs to check its callers. The catalog stands for a service of your own.
package quickstart

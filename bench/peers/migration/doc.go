// Package migration holds the code of docs/migrating.md: the same service as it
// was stopped before, and in a group. Its tests run both and compare the page
// with the files.
package migration

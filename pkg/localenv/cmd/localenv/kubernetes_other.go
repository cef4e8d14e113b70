//go:build !linux

package main

import "errors"

type kubernetesCommand struct{}

// Run says that there is none.
func (kubernetesCommand) Run() error { return errors.New("a Kubernetes node needs Linux") }

// nodeMain is for Linux.
func nodeMain([]string) (isNode bool, err error) { return false, nil }

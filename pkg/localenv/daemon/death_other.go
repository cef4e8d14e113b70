//go:build !linux

package daemon

import "syscall"

// Only Linux tells a child that its parent died.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}

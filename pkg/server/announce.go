package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// addresses are what the listeners were bound to, with free ports filled in.
type addresses struct {
	GRPC string `json:"grpc"`
	HTTP string `json:"http,omitempty"`
	// Health serves /livez and /readyz with reasons.
	Health string `json:"health,omitempty"`
}

// announce writes the addresses to a file when the service has started, whole
// or not at all, and removes it when the service begins to stop.
func announce(path string, bound addresses) lifecycle.Part {
	return lifecycle.Part{
		Name:  "address file",
		Phase: lifecycle.Announce,
		Start: func(context.Context) error { return writeAddresses(path, bound) },
		Stop: func(context.Context) error {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("address file: %w", err)
			}
			return nil
		},
	}
}

// checkAddrFile refuses what is not a file: renaming would put one in the place
// of a device or a pipe, and take that away when the service stops.
func checkAddrFile(path string) error {
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return fmt.Errorf("--addr-file %s: there is no such folder", path)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--addr-file %s: is not a file (%v)", path, info.Mode().Type())
	}
	return nil
}

func writeAddresses(path string, bound addresses) error {
	content, err := json.Marshal(bound)
	if err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".addr-*")
	if err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already if it was renamed
	if _, err := tmp.Write(content); err != nil {
		return errors.Join(fmt.Errorf("address file: %w", err), tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	return nil
}

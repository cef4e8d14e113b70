//go:build linux

package kubernetes

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Load puts images, each a file as "docker save" writes it, onto all nodes that
// run. What a node got last from a file of the same name is not loaded again.
// Pods use images with imagePullPolicy Never.
func (l *Lab) Load(ctx context.Context, files ...string) error {
	nodes := l.Nodes()
	if len(nodes) == 0 {
		return ErrDown
	}
	for _, number := range nodes {
		for _, file := range files {
			path, err := filepath.Abs(file)
			if err != nil {
				return fmt.Errorf("resolve the image's file: %w", err)
			}
			if err := l.node(number).loadOnce(ctx, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadOnce loads the image unless the node has had these bytes before.
func (n node) loadOnce(ctx context.Context, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read an image: %w", err)
	}
	sum := sha256.Sum256(content)
	last := n.path("loaded", filepath.Base(file))
	if known, err := os.ReadFile(last); err == nil && bytes.Equal(known, sum[:]) {
		return nil
	}
	if err := errors.Join(n.load(ctx, file), makeDir(filepath.Dir(last))); err != nil {
		return err
	}
	return os.WriteFile(last, sum[:], 0o600)
}

func (n node) load(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := n.output(ctx, "ctr", "--address", containerdSocket, "--namespace", "k8s.io", "images", "import", file)
	return err
}

// loadPause makes the image of a sandbox, one program on nothing, and loads it.
func (n node) loadPause(ctx context.Context) error {
	program, err := os.ReadFile(n.lab.program("pause"))
	if err != nil {
		return fmt.Errorf("read the pause program: %w", err)
	}
	layer, err := archive(entry{"pause", 0o755, program})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Entrypoint": []string{"/pause"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "config.json", "RepoTags": []string{pauseImage}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	image, err := archive(entry{"manifest.json", 0o644, manifest}, entry{"config.json", 0o644, config}, entry{"layer.tar", 0o644, layer})
	if err != nil {
		return err
	}
	file := n.path("pause.tar")
	return errors.Join(os.WriteFile(file, image, 0o600), n.load(ctx, file))
}

type entry struct {
	name    string
	mode    int64
	content []byte
}

func archive(entries ...entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.content)), ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

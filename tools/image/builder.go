package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// builder makes images from the repository in root.
type builder struct {
	root, version, revision, tag, arch string
}

// image is what was made.
type image struct {
	reference string
	digest    v1.Hash
	// packed and unpacked are bytes of all layers.
	packed, unpacked int64
	// modules is how many modules the bill lists.
	modules int
}

// user is the account of the programs: any but root, and the one that
// distroless images use, so that policies that know it fit.
const user = "65532"

// build compiles the programs and writes NAME.tar, as "docker save" does, and
// NAME.cdx.json.
func (b builder) build(ctx context.Context, c content, out string) (*image, error) {
	dir, err := os.MkdirTemp("", "curfew-image")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := b.compile(ctx, c.packages, dir); err != nil {
		return nil, err
	}
	var programs []file
	for _, pkg := range c.packages {
		raw, err := os.ReadFile(filepath.Join(dir, program(pkg)))
		if err != nil {
			return nil, err
		}
		programs = append(programs, file{path: program(pkg), mode: 0o755, content: raw})
	}
	img, made, err := b.assemble(c, programs)
	if err != nil {
		return nil, err
	}
	bill, modules, err := b.bill(c, programs)
	if err != nil {
		return nil, err
	}
	made.modules = modules
	if err := replace(filepath.Join(out, c.name+".cdx.json"), func(w io.Writer) error {
		_, err := w.Write(bill)
		return err
	}); err != nil {
		return nil, err
	}
	reference, err := name.NewTag(made.reference)
	if err != nil {
		return nil, err
	}
	return made, replace(filepath.Join(out, c.name+".tar"), func(w io.Writer) error { return tarball.Write(reference, img, w) })
}

// assemble puts what every image has into a first layer and the programs into
// a second one.
func (b builder) assemble(c content, programs []file) (v1.Image, *image, error) {
	ground, err := ground()
	if err != nil {
		return nil, nil, err
	}
	made := &image{reference: "curfew/" + c.name + ":" + b.tag}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: b.arch, OS: "linux", Created: v1.Time{Time: epoch},
		Config: v1.Config{
			Entrypoint: []string{program(c.packages[0])}, User: user + ":" + user, WorkingDir: "/",
			Env: []string{"PATH=/", "SSL_CERT_FILE=" + certificates}, Labels: b.labels(c),
		},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, nil, err
	}
	for _, files := range [][]file{ground, programs} {
		raw, err := pack(files)
		if err != nil {
			return nil, nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil })
		if err != nil {
			return nil, nil, err
		}
		size, err := layer.Size()
		if err != nil {
			return nil, nil, err
		}
		made.packed, made.unpacked = made.packed+size, made.unpacked+int64(len(raw))
		history := v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "tools/image"}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: history}); err != nil {
			return nil, nil, err
		}
	}
	made.digest, err = img.Digest()
	return img, made, err
}

// labels are those of the OCI image specification, annotations.md.
func (b builder) labels(c content) map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":    "curfew/" + c.name,
		"org.opencontainers.image.version":  b.version,
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.vendor":   "Curfew",
	}
	if b.revision != "" {
		labels["org.opencontainers.image.revision"] = b.revision
	}
	return labels
}

// epoch is the time of everything in an image: a clock would change the digest.
var epoch = time.Unix(0, 0).UTC()

// file is a file or, with a path that ends in a slash, a folder in an image.
type file struct {
	path    string
	mode    int64
	content []byte
}

// pack writes a layer of files that belong to root.
func pack(files []file) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		header := &tar.Header{Name: f.path[1:], Mode: f.mode, Size: int64(len(f.content)), ModTime: epoch, Format: tar.FormatUSTAR}
		header.Typeflag = tar.TypeReg
		if f.path[len(f.path)-1] == '/' {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// replace writes a file whole or not at all.
func replace(path string, write func(io.Writer) error) error {
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	if err = errors.Join(write(part), part.Chmod(0o644), part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name()) // The first error counts.
	}
	return err
}

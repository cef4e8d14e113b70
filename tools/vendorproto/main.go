// Command vendorproto writes the third-party .proto files of this repository
// under a folder, printed from the descriptors that the pinned Go modules carry.
//
//	go run ./vendorproto ../third_party
//
// Copies found in the wild are often old; the descriptors are the ones that
// the generated code links, so file and code cannot differ.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate" // buf/validate/*.proto
	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/api/annotations" // google/api/*.proto
	_ "google.golang.org/genproto/googleapis/type/money"      // google/type/money.proto
	"google.golang.org/protobuf/reflect/protoregistry"
)

// modules names the files of each local buf module.
var modules = map[string][]string{
	"protovalidate": {"buf/validate/validate.proto"},
	"googleapis": {
		"google/api/annotations.proto",
		"google/api/client.proto",
		"google/api/field_behavior.proto",
		"google/api/field_info.proto",
		"google/api/http.proto",
		"google/api/launch_stage.proto",
		"google/api/resource.proto",
		"google/type/money.proto",
	},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: vendorproto DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "vendorproto:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	printer := protoprint.Printer{Compact: true}
	for module, files := range modules {
		for _, name := range files {
			fd, err := protoregistry.GlobalFiles.FindFileByPath(name)
			if err != nil {
				return fmt.Errorf("find %s: %w", name, err)
			}
			path := filepath.Join(root, module, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			if err := printer.PrintProtoFile(fd, f); err != nil {
				f.Close()
				return fmt.Errorf("print %s: %w", name, err)
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

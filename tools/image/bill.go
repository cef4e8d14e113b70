package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// bill is the bill of materials of an image: what the programs say they were
// built from, and where its certificate authorities are from. It has no time and no random number, so that it is reproducible.
func (b builder) bill(c content, programs []file) (encoded []byte, modules int, err error) {
	list := map[string]cyclonedx.Component{}
	for _, p := range programs {
		info, err := buildinfo.Read(bytes.NewReader(p.content))
		if err != nil {
			return nil, 0, fmt.Errorf("read what %s was built from: %w", p.path, err)
		}
		standard := component("std", strings.TrimPrefix(info.GoVersion, "go"), "")
		list[standard.BOMRef] = standard
		for _, module := range append([]*debug.Module{&info.Main}, info.Deps...) {
			if module.Replace != nil {
				module = module.Replace
			}
			version := module.Version
			if ours(module.Path) {
				version = b.version // Built from the same tree.
			}
			found := component(module.Path, version, module.Sum)
			list[found.BOMRef] = found
		}
	}
	roots, err := authorities()
	if err != nil {
		return nil, 0, err
	}
	list[roots.BOMRef] = roots
	document := cyclonedx.NewBOM()
	root := component("curfew/"+c.name, b.version, "")
	root.Type, root.PackageURL = cyclonedx.ComponentTypeContainer, ""
	document.Metadata = &cyclonedx.Metadata{Component: &root}
	components := make([]cyclonedx.Component, 0, len(list))
	for _, key := range slices.Sorted(maps.Keys(list)) {
		components = append(components, list[key])
	}
	document.Components = &components
	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(document, cyclonedx.SpecVersion1_6); err != nil {
		return nil, 0, fmt.Errorf("write the bill of materials: %w", err)
	}
	return out.Bytes(), len(components), nil
}

// rootsModule has the certificate authorities that ground puts into each image:
// they are in no program, but whoever asks which roots are trusted wants to know.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

func authorities() (cyclonedx.Component, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range info.Deps {
			if module.Path == rootsModule {
				return component(module.Path, module.Version, module.Sum), nil
			}
		}
	}
	return cyclonedx.Component{}, errors.New("this program does not know which certificate authorities it has")
}

func component(name, version, sum string) cyclonedx.Component {
	url := "pkg:golang/" + name + "@" + version
	c := cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, BOMRef: url, Name: name, Version: version, PackageURL: url}
	if sum != "" { // Of the module as the checksum database knows it, which no hash of CycloneDX is.
		c.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: sum}}
	}
	return c
}

func ours(module string) bool { return strings.HasPrefix(module, "github.com/curfew-platform/curfew/") }

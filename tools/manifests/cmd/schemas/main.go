// Command schemas makes the schemas that manifests are checked with from the
// OpenAPI file of Kubernetes itself: one strict JSON schema for each kind that is
// named, and the definitions that they share, without the descriptions.
//
//	schemas SWAGGER_JSON FOLDER KIND...
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type object = map[string]any

const prefix = "#/definitions/"

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: schemas SWAGGER_JSON FOLDER KIND...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(swagger, folder string, kinds []string) error {
	content, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var api struct {
		Definitions map[string]object `json:"definitions"`
	}
	if err := json.Unmarshal(content, &api); err != nil {
		return err
	}
	used, found := object{}, map[string]bool{}
	for _, definition := range api.Definitions {
		for _, gvk := range versions(definition) {
			kind := gvk["kind"].(string) //nolint:forcetypeassert // By the OpenAPI of Kubernetes.
			if !slices.Contains(kinds, kind) {
				continue
			}
			found[kind] = true
			strict(definition)
			take(api.Definitions, used, definition)
			definition["properties"].(object)["kind"] = object{"const": kind}                           //nolint:forcetypeassert // Every kind has properties.
			group, _, _ := strings.Cut(gvk["group"].(string), ".")                                      //nolint:forcetypeassert // By the OpenAPI of Kubernetes.
			parts := slices.DeleteFunc([]string{strings.ToLower(kind), group, gvk["version"].(string)}, //nolint:forcetypeassert // By the OpenAPI of Kubernetes.
				func(part string) bool { return part == "" })
			name := strings.Join(parts, "-")
			if err := write(filepath.Join(folder, name+".json"), definition); err != nil {
				return err
			}
		}
	}
	for _, kind := range kinds {
		if !found[kind] {
			return fmt.Errorf("there is no kind %s", kind)
		}
	}
	return write(filepath.Join(folder, "_definitions.json"), object{"definitions": used})
}

func versions(definition object) (list []object) {
	all, _ := definition["x-kubernetes-group-version-kind"].([]any)
	for _, v := range all {
		list = append(list, v.(object)) //nolint:forcetypeassert // By the OpenAPI of Kubernetes.
	}
	return list
}

// take adds what a schema refers to, and what that refers to.
func take(from map[string]object, into object, node any) {
	switch n := node.(type) {
	case object:
		if ref, ok := n["$ref"].(string); ok {
			name := ref[strings.Index(ref, prefix)+len(prefix):]
			n["$ref"] = "_definitions.json" + prefix + name
			if into[name] == nil {
				definition := from[name]
				switch name {
				case "io.k8s.apimachinery.pkg.api.resource.Quantity":
					definition = object{"type": []any{"string", "number"}}
				case "io.k8s.apimachinery.pkg.util.intstr.IntOrString":
					definition = object{"type": []any{"string", "integer"}}
				}
				strict(definition)
				into[name] = definition
				take(from, into, definition)
			}
		}
		for _, child := range n {
			take(from, into, child)
		}
	case []any:
		for _, child := range n {
			take(from, into, child)
		}
	}
}

// strict refuses fields that an object does not have, and leaves out what a
// validator does not need.
func strict(node any) {
	switch n := node.(type) {
	case object:
		for name := range n {
			_, schema := n[name].(string)
			if name == "description" && schema || strings.HasPrefix(name, "x-kubernetes-") {
				delete(n, name)
			}
		}
		if n["type"] == "object" && n["properties"] != nil && n["additionalProperties"] == nil {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			strict(child)
		}
	case []any:
		for _, child := range n {
			strict(child)
		}
	}
}

func write(path string, v any) error {
	content, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644) //nolint:gosec // It is committed.
}

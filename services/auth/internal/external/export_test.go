package external

import (
	"maps"
	"slices"
)

// Members lists what an element of the file may have.
func Members() []string { return slices.Sorted(maps.Keys(new(element).members())) }

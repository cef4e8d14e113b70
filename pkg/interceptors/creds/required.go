package creds

import (
	"fmt"
	"reflect"
)

// required panics if a constructor got nothing where it needs something, also a
// nil function or pointer in an interface: at its first use, in a goroutine that
// renews, nobody could recover.
func required(constructor string, needed ...any) {
	for _, v := range needed {
		if r := reflect.ValueOf(v); !r.IsValid() || (r.Kind() == reflect.Func || r.Kind() == reflect.Pointer) && r.IsNil() {
			panic(fmt.Sprintf("creds: %s needs all of its arguments", constructor))
		}
	}
}

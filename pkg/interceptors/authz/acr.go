package authz

import (
	"fmt"
	"slices"
)

// defaultACR is the order of authentication context classes from weakest to
// strongest, after the levels of NIST SP 800-63B.
var defaultACR = []string{"aal1", "aal2", "aal3"}

// acrOrder compares authentication context classes.
type acrOrder struct{ weakestFirst []string }

// check refuses an order in which a class has no name or two places.
func (o *acrOrder) check() error {
	for i, class := range o.weakestFirst {
		if class == "" || slices.Index(o.weakestFirst, class) != i {
			return fmt.Errorf("authentication context class %q is empty, or there twice", class)
		}
	}
	return nil
}

func (o *acrOrder) knows(acr string) bool { return slices.Contains(o.weakestFirst, acr) }

// atLeast tells whether have is as strong as want. An unknown class is weaker
// than every known one.
func (o *acrOrder) atLeast(have, want string) bool {
	return slices.Index(o.weakestFirst, have) >= slices.Index(o.weakestFirst, want)
}

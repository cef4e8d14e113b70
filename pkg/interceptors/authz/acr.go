package authz

import "slices"

// DefaultACR is the order of authentication context classes from weakest to
// strongest, after the levels of NIST SP 800-63B.
var defaultACR = []string{"aal1", "aal2", "aal3"}

// acrOrder compares authentication context classes.
type acrOrder struct{ weakestFirst []string }

func (o *acrOrder) knows(acr string) bool { return slices.Contains(o.weakestFirst, acr) }

// atLeast tells whether have is as strong as want. An unknown class is weaker
// than every known one.
func (o *acrOrder) atLeast(have, want string) bool {
	return slices.Index(o.weakestFirst, have) >= slices.Index(o.weakestFirst, want)
}

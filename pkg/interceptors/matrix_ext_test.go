package interceptors_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz/authztest"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
)

// With and without an external issuer beside our own.
func TestEveryMethodRoleResourceTokenAndStalenessIsDecidedAsTheRulesSay(t *testing.T) {
	files := &protoregistry.Files{}
	if err := files.RegisterFile(shop.File); err != nil {
		t.Fatal(err)
	}
	for name, external := range map[string]bool{"our own issuer": false, "an external one too": true} {
		t.Run(name, func(t *testing.T) {
			authztest.Walk(t, authztest.Service{
				Policy: policy(t), Permissions: []byte(shop.Permissions), Files: files, External: external,
			})
		})
	}
}

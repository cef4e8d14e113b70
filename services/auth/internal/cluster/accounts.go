package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
)

// subjectPrefix begins `sub` of every service account.
const subjectPrefix = "system:serviceaccount:"

// Names of Kubernetes (RFC 1123): a namespace is a label, an account a subdomain.
var (
	namespaceShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	accountShape   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// Accounts says which service each account stands for. It is immutable; the
// zero Accounts has none.
type Accounts struct{ services map[string]string }

// ParseAccounts reads NAMESPACE/NAME=SERVICE, or NAMESPACE/NAME for an account
// that is named like its service. Several accounts may stand for one service,
// and no account for two.
func ParseAccounts(list []string) (Accounts, error) {
	a := Accounts{services: make(map[string]string, len(list))}
	for _, element := range list {
		account, service, named := strings.Cut(element, "=")
		namespace, name, _ := strings.Cut(account, "/")
		if !named {
			service = name
		}
		if !namespaceShape.MatchString(namespace) || !accountShape.MatchString(name) || !issuer.ServiceName(service) {
			return Accounts{}, fmt.Errorf("%q is not NAMESPACE/NAME=SERVICE", element)
		}
		subject := subjectPrefix + namespace + ":" + name
		if _, twice := a.services[subject]; twice {
			return Accounts{}, fmt.Errorf("%s is listed twice", account)
		}
		a.services[subject] = service
	}
	if len(a.services) == 0 {
		return Accounts{}, errors.New("no account is listed")
	}
	return a, nil
}

func (a Accounts) service(subject string) (name string, ok bool) {
	name, ok = a.services[subject]
	return name, ok
}

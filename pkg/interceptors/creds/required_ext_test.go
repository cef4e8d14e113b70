package creds_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// A renewal has a goroutine of its own, in which nothing recovers.
func TestAConstructorThatLacksSomethingPanicsAndNotTheFirstCall(t *testing.T) {
	store, source := creds.NewMemoryStore(creds.Pair{}), creds.Static("t")
	refresh := func(context.Context, token.Raw, token.Raw) (creds.Pair, error) { return creds.Pair{}, nil }
	open := func(context.Context, token.Raw) (creds.Pair, error) { return creds.Pair{}, nil }
	var noStore *creds.MemoryStore
	for what, construct := range map[string]func(){
		"NewRefreshing, source":           func() { creds.NewRefreshing(nil) },
		"NewRefreshing, source as a func": func() { creds.NewRefreshing(creds.SourceFunc(nil)) },
		"Session, store":                  func() { creds.Session(nil, refresh) },
		"Session, store as a pointer":     func() { creds.Session(noStore, refresh) },
		"Session, refresh":                func() { creds.Session(store, nil) },
		"ExternalSession, store":          func() { creds.ExternalSession(nil, refresh, source, open) },
		"ExternalSession, refresh":        func() { creds.ExternalSession(store, nil, source, open) },
		"ExternalSession, external":       func() { creds.ExternalSession(store, refresh, nil, open) },
		"ExternalSession, exchange":       func() { creds.ExternalSession(store, refresh, source, nil) },
		"ServiceAssertion, issue":         func() { creds.ServiceAssertion(creds.Assertion{}, nil) },
		"FileAssertion, issue":            func() { creds.FileAssertion("file", nil) },
	} {
		if said := panics(construct); said == "" {
			t.Errorf("%s: taken", what)
		}
	}
	if said := panics(func() { creds.NewRefreshing(creds.ExternalSession(store, refresh, source, open)).Close() }); said != "" {
		t.Errorf("with everything: %s", said)
	}
}

func panics(f func()) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

package pagetoken_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
)

type position struct {
	ID string `json:"id"`
}

func sealer(t testing.TB) *pagetoken.Sealer {
	t.Helper()
	return pagetoken.New(keysettest.New(t))
}

func TestATokenOpensForItsOwnListOnly(t *testing.T) {
	s := sealer(t)
	token, err := s.Seal(position{ID: "42"}, "ListOrders", "users/1", "")
	if err != nil {
		t.Fatal(err)
	}
	var got position
	if ok, err := s.Open(token, &got, "ListOrders", "users/1", ""); !ok || err != nil || got.ID != "42" {
		t.Fatalf("Open = %v, %v, %v", ok, err, got)
	}
	for _, list := range [][]string{
		{"ListOrders", "users/2", ""},
		{"ListOrders", "users/1", "state=PAID"},
		{"ListOrders", "users/1"},
		{"ListOrdersusers/1", "", ""},
		{"SearchOrders", "users/1", ""},
	} {
		if _, err := s.Open(token, &got, list...); !errors.Is(err, pagetoken.ErrInvalid) {
			t.Errorf("list %q: err = %v", list, err)
		}
	}
	if _, err := sealer(t).Open(token, &got, "ListOrders", "users/1", ""); !errors.Is(err, pagetoken.ErrInvalid) {
		t.Errorf("another service's keys: err = %v", err)
	}
}

func TestTheEmptyTokenIsTheFirstPage(t *testing.T) {
	got := position{ID: "start"}
	if ok, err := sealer(t).Open("", &got, "ListOrders"); ok || err != nil || got.ID != "start" {
		t.Errorf("Open = %v, %v, %v", ok, err, got)
	}
}

func TestEveryChangedCharacterIsRefused(t *testing.T) {
	s := sealer(t)
	token, err := s.Seal(position{ID: "42"}, "ListOrders")
	if err != nil {
		t.Fatal(err)
	}
	for i := range token {
		c := byte('A')
		if token[i] == 'A' {
			c = 'B'
		}
		var got position
		changed := token[:i] + string(c) + token[i+1:]
		if _, err := s.Open(changed, &got, "ListOrders"); !errors.Is(err, pagetoken.ErrInvalid) {
			t.Fatalf("character %d changed: err = %v", i, err)
		}
	}
	var got position
	if _, err := s.Open(strings.Repeat("A", 1<<20), &got, "ListOrders"); !errors.Is(err, pagetoken.ErrInvalid) {
		t.Errorf("1 MiB: err = %v", err)
	}
}

func FuzzOpenNeverPanics(f *testing.F) {
	s := sealer(f)
	token, err := s.Seal(position{ID: "42"}, "ListOrders")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("")
	f.Add("====")
	f.Fuzz(func(t *testing.T, in string) {
		var got position
		ok, err := s.Open(in, &got, "ListOrders")
		if ok && in != token {
			t.Fatalf("accepted %q", in)
		}
		if err != nil && !errors.Is(err, pagetoken.ErrInvalid) {
			t.Fatal(err)
		}
	})
}

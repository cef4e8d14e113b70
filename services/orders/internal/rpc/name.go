package rpc

import (
	"strings"

	"github.com/google/uuid"
)

const (
	usersPrefix    = "users/"
	productsPrefix = "products/"
	ordersSegment  = "/orders/"
	allUsers       = "users/-"
)

func userName(user uuid.UUID) string      { return usersPrefix + user.String() }
func orderName(user, id uuid.UUID) string { return userName(user) + ordersSegment + id.String() }
func productName(sku string) string       { return productsPrefix + sku }

// parseUser reads users/{uuid}.
func parseUser(field, name string) (uuid.UUID, error) {
	text, ok := strings.CutPrefix(name, usersPrefix)
	if !ok {
		return uuid.Nil, invalid(field, "must be users/{uuid}")
	}
	return parseID(field, text)
}

// parseOrder reads users/{uuid}/orders/{uuid}.
func parseOrder(field, name string) (user, id uuid.UUID, err error) {
	owner, text, ok := strings.Cut(name, ordersSegment)
	if !ok {
		return uuid.Nil, uuid.Nil, invalid(field, "must be users/{uuid}/orders/{uuid}")
	}
	if user, err = parseUser(field, owner); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	id, err = parseID(field, text)
	return user, id, err
}

// parseProduct reads products/{sku}.
func parseProduct(field, name string) (string, error) {
	sku, ok := strings.CutPrefix(name, productsPrefix)
	if !ok || sku == "" {
		return "", invalid(field, "must be products/{sku}")
	}
	return sku, nil
}

// parseID takes the canonical form only: one resource has one name.
func parseID(field, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, invalid(field, "must hold UUIDs in lower case")
	}
	return id, nil
}

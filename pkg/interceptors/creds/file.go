package creds

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

const maxFileBytes = 64 << 10

// File returns a [TokenSource] that reads a file which another program keeps
// fresh. The file holds one access token; white space around it is ignored.
// `exp` is read without verification, and only in order to read the file again
// in time.
func File(path string) TokenSource {
	return SourceFunc(func(context.Context) (Token, error) {
		f, err := os.Open(path)
		if err != nil {
			return Token{}, fmt.Errorf("token file: %w", err)
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
		if err != nil {
			return Token{}, fmt.Errorf("token file: %w", err)
		}
		value := string(bytes.TrimSpace(data))
		if value == "" || len(data) > maxFileBytes || strings.ContainsAny(value, " \t\r\n") {
			return Token{}, errors.New("token file: does not hold one token")
		}
		return Token{Value: token.Raw(value), ExpiresAt: expiryOf(value), Found: true}, nil
	})
}

// expiryOf returns `exp` of a JWT, or zero for any other token.
func expiryOf(value string) time.Time {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}
	}
	return time.Unix(claims.Exp, 0)
}

package token

import (
	"fmt"
	"strings"
	"testing"
)

func TestOnlyObjectsThatEveryParserReadsAlikeAreDecoded(t *testing.T) {
	nested := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	for name, tc := range map[string]struct {
		text string
		ok   bool
	}{
		"empty":                         {`{}`, true},
		"nested":                        {`{"a":{"b":[1,"x",true,null,{}]},"c":2}`, true},
		"white space":                   {" {\n\"a\" : 1\t} ", true},
		"a pair of surrogates":          {`{"a":"\ud83d\ude00"}`, true},
		"as deep as allowed":            {nested(maxDepth - 1), true},
		"deeper":                        {nested(maxDepth), false},
		"as many values as allowed":     {`{"a":[` + strings.Repeat("1,", maxMembers-5) + "1]}", true},
		"more":                          {`{"a":[` + strings.Repeat("1,", maxMembers) + "1]}", false},
		"half a pair in a value":        {`{"a":"\ud83d"}`, false},
		"half a pair in a name":         {`{"\ud83d":1}`, false},
		"two halves that become one":    {`{"\ud800":1,"\ud801":2}`, false},
		"NUL in a value":                {`{"a":"\u0000"}`, false},
		"invalid UTF-8":                 {"{\"a\":\"\xc3\x28\"}", false},
		"a duplicate far below":         {`{"a":[{"b":{"c":1,"c":1}}]}`, false},
		"the same name on two levels":   {`{"a":{"a":1}}`, true},
		"the same name in two elements": {`{"a":[{"b":1},{"b":2}]}`, true},
		"trailing data":                 {`{} x`, false},
		"a second object":               {`{}{}`, false},
		"a mismatched bracket":          {`{"a":[}`, false},
		"a number as a name":            {`{1:2}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if members, err := object([]byte(tc.text)); (err == nil) != tc.ok || (members != nil) != tc.ok {
				t.Errorf("got %v, %v", members, err)
			}
		})
	}
}

// The limit is a number of its own here: a larger one would let a token that
// anybody can make cost more.
func TestAnObjectHolds256NamesValuesAndBracketsAtMost(t *testing.T) {
	array := func(n int) string { return `{"a":[` + strings.Repeat("1,", n-1) + "1]}" }
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for name, tc := range map[string]struct {
		text string
		ok   bool
	}{
		"252 elements": {array(252), true}, // and a name and three brackets
		"253 elements": {array(253), false},
		"127 members":  {members(127), true}, // two each, and a bracket
		"128 members":  {members(128), false},
		"many empty":   {`{"a":[` + strings.Repeat("[],", 130) + `[]]}`, false},
	} {
		if _, err := object([]byte(tc.text)); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

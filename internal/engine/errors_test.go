package engine_test

import (
	"errors"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

func TestErrorText(t *testing.T) {
	cases := map[string]struct{ says, want string }{
		"Sentence": {says: "It is wrong.", want: "a: It is wrong. Do better"},
		"Phrase":   {says: "it is wrong", want: "a: it is wrong. Do better"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := &engine.Error{Class: engine.Invalid, Path: "a", Hint: "Do better", Err: errors.New(tc.says)}
			if got := e.Error(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

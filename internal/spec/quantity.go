package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// ErrQuantity is wrapped by every error of Quantity.
var ErrQuantity = errors.New("not a quantity")

const (
	maxQuantity = 64 // bytes of text
	maxExponent = 30 // powers of ten either way
)

// Parse reads the amount exactly. It takes what Kubernetes takes: a decimal number
// followed by n, u, m, k, M, G, T, P, E (powers of 1000), Ki, Mi, Gi, Ti, Pi, Ei (powers
// of 1024) or an exponent such as e6.
func (q Quantity) Parse() (*big.Rat, error) {
	s := string(q)
	if len(s) > maxQuantity {
		return nil, fmt.Errorf("%w: %d bytes long", ErrQuantity, len(s))
	}
	end := strings.LastIndexAny(s, "0123456789.") + 1
	number, suffix := s[:end], s[end:]
	if suffix == "" {
		if i := strings.IndexAny(s, "eE"); i >= 0 {
			number, suffix = s[:i], s[i:]
		}
	}
	amount, ok := parseDecimal(number)
	if !ok {
		return nil, fmt.Errorf("%w: %q does not start with a decimal number", ErrQuantity, s)
	}
	factor, ok := parseSuffix(suffix)
	if !ok {
		return nil, fmt.Errorf("%w: %q ends in %q; known are n u m k M G T P E, Ki Mi Gi Ti Pi Ei and exponents", ErrQuantity, s, suffix)
	}
	return amount.Mul(amount, factor), nil
}

// Canonical is equal for equal amounts: the plain decimal number. Text that is no
// quantity is its own canonical form.
func (q Quantity) Canonical() string {
	amount, err := q.Parse()
	if err != nil {
		return string(q)
	}
	digits, _ := amount.FloatPrec() // every suffix is a power of 2 and 5: always exact
	return amount.FloatString(digits)
}

// Bytes is the amount in whole units, rounded up.
func (q Quantity) Bytes() (int64, error) {
	amount, err := q.Parse()
	if err != nil {
		return 0, err
	}
	whole, rest := new(big.Int).DivMod(amount.Num(), amount.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	if !whole.IsInt64() {
		return 0, fmt.Errorf("%w: %q is too large", ErrQuantity, string(q))
	}
	return whole.Int64(), nil
}

// UnmarshalJSON takes a string or a bare number, because YAML reads `cpu: 1` as one.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*q = Quantity(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("%w: %w", ErrQuantity, err)
	}
	*q = Quantity(number)
	return nil
}

func parseDecimal(s string) (*big.Rat, bool) {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	if len(s)-len(digits) > 1 || strings.Trim(digits, "0123456789.") != "" ||
		strings.Count(digits, ".") > 1 || strings.Trim(digits, ".") == "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func parseSuffix(s string) (*big.Rat, bool) {
	switch {
	case s == "":
		return big.NewRat(1, 1), true
	case len(s) == 1:
		i := strings.Index("num_kMGTPE", s) // by thousands; the underscore stands for one
		return power(10, 3*i-9), i >= 0 && s != "_"
	case len(s) == 2 && s[1] == 'i':
		i := strings.Index("KMGTPE", s[:1])
		return power(2, 10*(i+1)), i >= 0
	case s[0] == 'e' || s[0] == 'E':
		n, err := strconv.Atoi(s[1:])
		return power(10, min(max(n, -maxExponent), maxExponent)), err == nil && max(n, -n) <= maxExponent
	default:
		return nil, false
	}
}

// power is base to the exponent.
func power(base int64, exponent int) *big.Rat {
	n := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(max(exponent, -exponent))), nil)
	r := new(big.Rat).SetInt(n)
	if exponent < 0 {
		r.Inv(r)
	}
	return r
}

package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTopic(t *testing.T) {
	t.Parallel()
	here := func(local string) TopicName { return NewTopicName("shop", "eu", local) }
	cases := map[string]struct {
		text string
		want TopicName
		full string
		ok   bool
	}{
		"Local":         {"orders", here("orders"), "persistent://shop/eu/orders", true},
		"Three":         {"a/b/c", NewTopicName("a", "b", "c"), "persistent://a/b/c", true},
		"Full":          {"persistent://a/b/c", NewTopicName("a", "b", "c"), "persistent://a/b/c", true},
		"NonPersistent": {"non-persistent://a/b/c", TopicName{NonPersistent, "a", "b", "c", NoPartition}, "non-persistent://a/b/c", true},
		"Partition":     {"orders-partition-12", TopicName{Persistent, "shop", "eu", "orders", 12}, "persistent://shop/eu/orders-partition-12", true},
		"PartitionZero": {"a/b/c-partition-0", TopicName{Persistent, "a", "b", "c", 0}, "persistent://a/b/c-partition-0", true},
		"NoPartition":   {"orders-partition-01", here("orders-partition-01"), "persistent://shop/eu/orders-partition-01", true},
		"PartitionText": {"orders-partition-", here("orders-partition-"), "persistent://shop/eu/orders-partition-", true},
		"OnlySuffix":    {"-partition-1", here("-partition-1"), "persistent://shop/eu/-partition-1", true},
		"TwoSuffixes":   {"a-partition-1-partition-2", TopicName{Persistent, "shop", "eu", "a-partition-1", 2}, "persistent://shop/eu/a-partition-1-partition-2", true},
		"Unicode":       {"märz 1", here("märz 1"), "persistent://shop/eu/märz 1", true},

		"Empty":        {text: ""},
		"Blank":        {text: " "},
		"Two":          {text: "a/b"},
		"Four":         {text: "a/b/c/d"},
		"Scheme":       {text: "kafka://a/b/c"},
		"NoScheme":     {text: "://a/b/c"},
		"SchemeLocal":  {text: "persistent://orders"},
		"SchemeTwice":  {text: "persistent://persistent://a/b/c"},
		"EmptyPart":    {text: "a//c"},
		"BadTenant":    {text: "a b/c/d"},
		"BadNamespace": {text: "a/b%/d"},
		"Control":      {text: "or\nders"},
		"NotUTF8":      {text: "or\xffders"},
		"Dots":         {text: "a/b/.."},
		"Long":         {text: longText(MaxTopicName + 1)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseTopic(tc.text, "shop", "eu")
			if !tc.ok {
				if !errors.Is(err, ErrTopicName) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil || got.String() != tc.full {
				t.Errorf("%s, %v (-want +got):\n%s", got, err, diff)
			}
		})
	}
}

func TestTopicShort(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ full, tenant, namespace, want string }{
		"Here":          {"persistent://shop/eu/orders", "shop", "eu", "orders"},
		"Default":       {"persistent://public/default/orders", "", "", "orders"},
		"Elsewhere":     {"persistent://shop/eu/orders", "shop", "us", "shop/eu/orders"},
		"NonPersistent": {"non-persistent://shop/eu/orders", "shop", "eu", "non-persistent://shop/eu/orders"},
		"Partition":     {"persistent://shop/eu/orders-partition-3", "shop", "eu", "orders-partition-3"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name, err := ParseTopic(tc.full, "", "")
			if err != nil || name.Short(tc.tenant, tc.namespace) != tc.want {
				t.Errorf("got %s, %v", name.Short(tc.tenant, tc.namespace), err)
			}
		})
	}
	if got := (Topic{Name: "orders"}).FullName(); got != "persistent://public/default/orders" {
		t.Errorf("full name %s", got)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	cases := map[Path][]Step{
		"":     nil,
		"name": {{Name: "name"}},
		`functions["enrich"].inputs["a/b.c[\"d\"]"].schema`: {
			{Name: "functions"}, {Name: "enrich", Key: true}, {Name: "inputs"}, {Name: `a/b.c["d"]`, Key: true}, {Name: "schema"},
		},
		`["key"]`:          {{Name: "key", Key: true}},
		`roles[0].x`:       {{Name: "roles"}, {Name: "0", Key: true, Index: true}, {Name: "x"}},
		`inputs["\u00e4"]`: {{Name: "inputs"}, {Name: "ä", Key: true}},
	}
	for path, want := range cases {
		got, err := ParsePath(path)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", path, err, diff)
		}
	}
	for _, bad := range []Path{".", "a.", ".a", "a..b", "a[", "a[b]", `a["b"`, `a["b]`, "a[-1]", "a[01]", "a]", `a["b"]c`, "a[]", `a"b`} {
		if steps, err := ParsePath(bad); !errors.Is(err, ErrPath) {
			t.Errorf("%s: %v, %v", bad, steps, err)
		}
	}
}

func TestPathContains(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		p, q Path
		want bool
	}{
		{"", "a", true}, {"a", "a", true}, {"a", "a.b", true}, {"a", `a["b"]`, true}, {"a", "ab", false}, {"a.b", "a", false},
	} {
		if got := tc.p.Contains(tc.q); got != tc.want {
			t.Errorf("%q contains %q: %v", tc.p, tc.q, got)
		}
	}
}

func TestQuantity(t *testing.T) {
	t.Parallel()
	cases := map[Quantity]string{
		"0": "0", "-0": "0", "1": "1", "+1": "1", "1.5": "1.5", "1.50": "1.5", ".5": "0.5", "5.": "5", "500m": "0.5", "0.5": "0.5",
		"1Ki": "1024", "1Gi": "1073741824", "1024Mi": "1073741824", "1.5Gi": "1610612736", "1k": "1000", "1M": "1000000", "1G": "1000000000",
		"1T": "1000000000000", "1P": "1000000000000000", "1E": "1000000000000000000", "1Ti": "1099511627776", "1Pi": "1125899906842624",
		"1Ei": "1152921504606846976", "1e3": "1000", "1E3": "1000", "1e+3": "1000", "1e-3": "0.001", "12u": "0.000012", "7n": "0.000000007", "-1Gi": "-1073741824",
	}
	for q, want := range cases {
		if got := q.Canonical(); got != want {
			t.Errorf("%s: got %s, want %s", q, got, want)
		}
		if again := Quantity(q.Canonical()).Canonical(); again != want {
			t.Errorf("%s: canonical of canonical is %s", q, again)
		}
	}
	for _, bad := range []Quantity{"", "m", "1 Gi", "1GI", "1K", "1Mib", "one", "1.2.3", "--1", "1e", "1e99", "1e3k", "0x10", "1_000", "1_", "Inf", "1/2", "1i", ".", "+", Quantity(longText(65))} {
		if _, err := bad.Parse(); !errors.Is(err, ErrQuantity) {
			t.Errorf("%s: %v", bad, err)
		}
		if bad.Canonical() != string(bad) {
			t.Errorf("%s changed to %s", bad, bad.Canonical())
		}
	}
}

func TestQuantityBytes(t *testing.T) {
	t.Parallel()
	for q, want := range map[Quantity]int64{"256Mi": 268435456, "1.5": 2, "1m": 1, "0": 0, "-1.5": -1, "8Ei": -1, "x": -1} {
		got, err := q.Bytes()
		if q == "8Ei" || q == "x" {
			if !errors.Is(err, ErrQuantity) {
				t.Errorf("%s: %d, %v", q, got, err)
			}
			continue
		}
		if got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", q, got, err, want)
		}
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)
	cases := map[string]struct {
		text string
		want JSON
		ok   bool
	}{
		"Sorted":    {` { "b" : 1 , "a" : [ true , null ] } `, `{"a":[true,null],"b":1}`, true},
		"BigNumber": {`{"n":123456789012345678901234567890}`, `{"n":123456789012345678901234567890}`, true},
		"Spelling":  {`[1.0,1e3]`, `[1.0,1e3]`, true},
		"Null":      {"null", "", true},
		"Text":      {`"ä\u00e4"`, `"ää"`, true},
		"HTML":      {`"<"`, `"\u003c"`, true},
		"Empty":     {"", "", false},
		"Two":       {"{} {}", "", false},
		"Broken":    {"{", "", false},
		"Repeated":  {`{"a":{"b":1,"b":1}}`, "", false},
		"NotUTF8":   {"\"\xff\"", "", false},
		"Deep":      {deep, "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseJSON([]byte(tc.text))
			if got != tc.want || (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrJSON) {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestJSONCanonical(t *testing.T) {
	t.Parallel()
	equal := [][]JSON{
		{`{"a":1,"b":2}`, `{"b":2e0,"a":1.0}`},
		{"0", "-0", "0.0", "0e9"},
		{"-1500", "-1.5e3", "-15.00E+2"},
		{"0.001", "1e-3", "10e-4"},
		{"123456789012345678901234567890"},
		{"123456789012345678901234567891"},
		{"1e50", "10e49"},
		{"1e999999999999999999999"},
		{""},
		{"not json"},
		{`"1"`},
		{`["1"]`},
	}
	seen := map[string]int{}
	for i, group := range equal {
		for _, j := range group {
			if other, ok := seen[j.Canonical()]; ok && other != i {
				t.Errorf("%s is equal to %v", j, equal[other])
			}
			seen[j.Canonical()] = i
		}
	}
	if len(seen) != len(equal) {
		t.Errorf("got %v", seen)
	}
}

func TestJSONIsItsDocument(t *testing.T) {
	t.Parallel()
	type holder struct {
		Config JSON            `json:"config,omitempty"`
		Extra  map[string]JSON `json:"extra,omitempty"`
	}
	want := holder{Config: `{"a":9007199254740993}`, Extra: map[string]JSON{"s": `"text"`, "o": `{"x":"\u003c"}`}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != `{"config":{"a":9007199254740993},"extra":{"o":{"x":"\u003c"},"s":"text"}}` {
		t.Errorf("marshalled %s", text)
	}
	var got holder
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if text, err := json.Marshal(JSON("{")); err != nil || string(text) != `"{"` {
		t.Errorf("broken text became %s, %v", text, err)
	}
	if text, err := json.Marshal([]JSON{""}); err != nil || string(text) != "[null]" {
		t.Errorf("unset became %s, %v", text, err)
	}
}

// R9: no way of printing or encoding shows a secret.
func TestR9SecretIsNeverShown(t *testing.T) {
	t.Parallel()
	s := NewSecret("hush")
	encoded, err := json.Marshal(map[string]any{"value": s, "pointer": &s, "list": []Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	shown := string(encoded) + fmt.Sprintf("%v %+v %#v %s %q %x %v", s, s, s, s, s, s, struct{ S *Secret }{&s}) + fmt.Sprint(&s)
	if strings.Contains(shown, "hush") || strings.Contains(shown, "68757368") {
		t.Errorf("shown: %s", shown)
	}
	if s.Reveal() != "hush" || s.IsZero() || !(Secret{}).IsZero() {
		t.Error("the value is lost")
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	p := Problem{Path: "name", Severity: SeverityWarning, Message: "It is odd.", Hint: "Mend it."}
	if p.String() != "name: It is odd. Mend it." || (Problem{Message: "Odd."}).String() != "Odd." {
		t.Errorf("got %s", p)
	}
	if HasErrors([]Problem{p}) || !HasErrors([]Problem{p, {Severity: SeverityError}}) {
		t.Error("severities are mixed up")
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	var none *Runtime
	for name, r := range map[string]*Runtime{"": none, "go": {Go: &Code{}}, "wasm": {WASM: &Code{}}, "python": {Python: &Code{}}, "java": {Java: &Code{}}} {
		if got, code := r.Chosen(); got != name || (code == nil) != (name == "") {
			t.Errorf("got %s, want %s", got, name)
		}
	}
	if got, code := (&Runtime{Go: &Code{}, Java: &Code{}}).Chosen(); got != "" || code != nil {
		t.Errorf("of two, %s was chosen", got)
	}
}

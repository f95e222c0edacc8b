package enginetest

import (
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	cases := map[string]struct {
		path string
		want []string
		fail bool
	}{
		"Field":  {path: "name", want: []string{"name"}},
		"Nested": {path: "output.topic", want: []string{"output", "topic"}},
		"Key":    {path: `functions["a.b"].inputs["persistent://x/[y]"].schema`, want: []string{"functions", "a.b", "inputs", "persistent://x/[y]", "schema"}},
		"Quoted": {path: `p["a\"b"]`, want: []string{"p", `a"b`}},
		"Empty":  {fail: true},
		"Open":   {path: `p["a`, fail: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := split(c.path)
			if (err != nil) != c.fail || !slices.Equal(got, c.want) {
				t.Errorf("split: %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a", `a["b"].c`, `["x"]`, "a..b", `a["`, "[[", ".]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if steps, err := split(path); err == nil && len(steps) == 0 {
			t.Errorf("split(%q) names nothing and says nothing", path)
		}
	})
}

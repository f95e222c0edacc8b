package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The vectors are those of Pulsar's own clients and of the published algorithm.
func TestMurmur3(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]uint32{
		"":             0,
		"hello":        0x248bfa47,
		"hello, world": 0x149bbb7f,
		"The quick brown fox jumps over the lazy dog": 0x2e4ff723,
		"key1": 462881061,
		"key2": 1936800180,
	} {
		if got := murmur3([]byte(key)) & 0x7fffffff; got != want&0x7fffffff {
			t.Errorf("%q: got %d, want %d", key, got, want)
		}
	}
}

func TestPartitionFor(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{-1: 0, 0: 0, 1: 0, 2: 1, 4: 1, 10: 1, 1000: 61} {
		if got := PartitionFor([]byte("key1"), n); got != want {
			t.Errorf("of %d: got %d, want %d", n, got, want)
		}
	}
	if PartitionFor(nil, 7) != PartitionFor([]byte{}, 7) {
		t.Error("nil and empty differ")
	}
}

const orders = "persistent://public/default/orders"

func TestNames(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ got, want string }{
		"Stream":     {StreamName(orders), "public-default-orders-a00415d84336c729"},
		"Subject":    {Subject(orders, 3), "fm.a00415d84336c729.3"},
		"SubjectAll": {SubjectAll(orders), "fm.a00415d84336c729.*"},
		"Consumer":   {ConsumerName("public/default/enrich"), "public-default-enrich-b065131688a0f1fe"},
		"Position":   {PositionKey(orders, "public/default/enrich", 3), "a00415d84336c729.b065131688a0f1fe.3"},
	}
	for name, tc := range cases {
		if tc.got != tc.want {
			t.Errorf("%s: got %s, want %s", name, tc.got, tc.want)
		}
	}
}

// Whatever a topic or a subscription is called, its names are legal for NATS and for
// a file system, and no two are the same, even where case does not count.
func TestNamesAreLegalAndUnique(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"", ".", "a", "A", "a b", "a.b", "a*b", "a>b", "a/b", `a\b`, "a\nb", "ä", "日本", "-", "a-b",
		strings.Repeat("x", 1000), strings.Repeat("x", 999), "non-persistent://a/b/c", "persistent://a/b/c",
	}
	seen := map[string]string{}
	for _, text := range hostile {
		for _, name := range []string{StreamName(text), ConsumerName(text)} {
			if len(name) > 128 || strings.Trim(name, legal) != "" || strings.HasPrefix(name, "-") {
				t.Errorf("%q became %q", text, name)
			}
		}
		name := strings.ToLower(StreamName(text))
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q share %q", text, other, name)
		}
		seen[name] = text
	}
}

const legal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

func TestProperties(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a", "A", "a b", "a:b", "ä\r\nFm-Key", "a+b", "%41"} {
		header, value := PropertyHeader(name), PropertyValue(name+"\r\n\x00")
		if strings.ContainsAny(header+value, " :\r\n\x00") {
			t.Errorf("%q became header %q: %q", name, header, value)
		}
		gotName, gotValue, ok := ParseProperty(header, value)
		if diff := cmp.Diff([]any{name, name + "\r\n\x00", true}, []any{gotName, gotValue, ok}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
	for header, value := range map[string]string{HeaderKey: "x", HeaderPropertyPrefix + "%": "x", HeaderPropertyPrefix + "a": "%"} {
		if _, _, ok := ParseProperty(header, value); ok {
			t.Errorf("%s: %s passed as a property", header, value)
		}
	}
}

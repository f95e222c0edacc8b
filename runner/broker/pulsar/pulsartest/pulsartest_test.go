package pulsartest_test

import (
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func TestPulsarFillAndRead(t *testing.T) {
	t.Parallel()
	cases := map[string]pulsartest.Fill{
		"Plain":       {},
		"Batched":     {PerEntry: 10, Size: 100},
		"Partitioned": {PerEntry: 7, Partitions: 3},
		"Keyed":       {PerEntry: 5, Partitions: 2, Keys: 3, Compression: "zstd"},
		"KeyBased":    {PerEntry: 50, Keys: 4, KeyBased: true, Compression: "lz4"},
	}
	server := pulsartest.Need(t)
	n := server.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true})
	for name, fill := range cases {
		t.Run(name, func(t *testing.T) {
			const total = 200
			topic := n.Topic(t, name, fill.Partitions)
			server.Subscribe(t, topic, "s", "earliest")
			server.Fill(t, topic, total, fill)
			tally := server.Read(t, topic, fill.Partitions, total)
			tally.Check(t, pulsartest.Bounds{Disorder: fill.KeyBased})
			if per := max(fill.PerEntry, 1); !fill.KeyBased {
				if got, want := server.Backlog(t, topic, "s"), int64((total+per-1)/per); got != want {
					t.Errorf("a backlog of %d entries, want %d", got, want)
				}
			}
			if all := server.ReadAll(t, topic, fill.Partitions); len(all) != total {
				t.Errorf("%d messages", len(all))
			}
			server.Unload(t, topic)
			server.Unsubscribe(t, topic, "s")
			if subs := server.Subscriptions(t, topic); len(subs) > 0 {
				t.Errorf("subscriptions are left: %v", subs)
			}
			server.Delete(t, topic)
		})
	}
}

func TestTallyFindsWhatIsWrong(t *testing.T) {
	type counts struct{ lost, duplicated, reordered, keys, strange int }
	v := func(n, lane int, key string) []byte { return pulsartest.Value(n, lane, key, 0) }
	cases := map[string]struct {
		values [][]byte
		want   counts
	}{
		"Nothing":    {[][]byte{v(0, 0, "a"), v(1, 0, "b"), v(2, 0, "a")}, counts{}},
		"Lost":       {[][]byte{v(0, 0, ""), v(2, 0, "")}, counts{lost: 1}},
		"Duplicated": {[][]byte{v(0, 0, ""), v(1, 0, ""), v(0, 0, ""), v(2, 0, "")}, counts{duplicated: 1}},
		"Reordered":  {[][]byte{v(0, 0, "a"), v(2, 0, "b"), v(1, 0, "c")}, counts{reordered: 1}},
		"Key":        {[][]byte{v(0, 0, "a"), v(2, 1, "a"), v(1, 0, "a")}, counts{keys: 1}},
		"Lanes":      {[][]byte{v(1, 1, ""), v(0, 0, ""), v(2, 1, "")}, counts{}},
		"Strange":    {[][]byte{v(0, 0, ""), v(1, 0, ""), v(2, 0, ""), v(3, 0, ""), []byte("x")}, counts{strange: 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tally := pulsartest.NewTally(3)
			for _, v := range c.values {
				tally.Add(0, v)
			}
			got := counts{tally.Lost(), tally.Duplicated, tally.Reordered, tally.KeyBroken, tally.Strange}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

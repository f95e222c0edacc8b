package compatible_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"
	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// told keeps what a source counted and reported.
type told struct {
	mu      sync.Mutex
	counted map[string]int
	said    []error
}

func (o *told) listen(to *pulsar.SourceOptions) {
	o.counted = map[string]int{}
	to.Malformed = func(defect string, entries int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.counted[defect] += entries
	}
	to.Report = func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.said = append(o.said, err)
	}
}

func (o *told) counts() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.counted)
}

func (o *told) has(what error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.said, func(err error) bool { return errors.Is(err, what) })
}

// encrypt publishes an entry of three messages that only the key opens.
func encrypt(t testing.TB, s *pulsartest.Server, topic, public, private string) {
	t.Helper()
	p, err := s.Client(t).CreateProducer(pulsario.ProducerOptions{
		Topic: topic, BatchingMaxPublishDelay: time.Hour,
		Encryption: &pulsario.ProducerEncryptionInfo{KeyReader: crypto.NewFileKeyReader(public, private), Keys: []string{"k"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.SendAsync(bounded(t), &pulsario.ProducerMessage{Payload: []byte("hush")}, func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := p.FlushWithCtx(bounded(t)); err != nil {
		t.Fatal(err)
	}
}

// What is encrypted ends the lane where no key opens it: it is counted, the way out is
// said, and it stays in the subscription with all that lies behind it. An input may say
// that it wants something else.
func TestPulsarEncryptedEntries(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{})
	public, private := pulsartest.Keys(t)
	_, other := pulsartest.Keys(t)
	topic := n.Topic(t, "t", 0)
	keys := func(failure string) *wire.Crypto {
		return &wire.Crypto{PublicKeyFile: public, PrivateKeyFile: other, Failure: failure}
	}
	type wanted struct {
		ends    bool
		values  int // the encrypted entry counts as one
		backlog int64
	}
	cases := map[string]struct {
		mode   wire.Mode
		crypto *wire.Crypto
		want   wanted
	}{
		"NoKeyShared":    {wire.Shared, nil, wanted{true, 0, 11}},
		"NoKeyExclusive": {wire.Exclusive, nil, wanted{true, 0, 11}},
		"WrongKey":       {wire.Failover, keys(""), wanted{true, 0, 11}},
		"Discard":        {wire.Shared, keys("discard"), wanted{false, 10, 0}},
		"Consume":        {wire.Shared, keys("consume"), wanted{false, 11, 0}},
	}
	for name := range cases {
		s.Subscribe(t, topic, name, "earliest")
	}
	encrypt(t, s, topic, public, private)
	fill(t, s, topic, texts("v", 10), 1)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := sourceOptions(s, topic, c.mode)
			o.Source.Subscription.Name, o.Source.Inputs[0].Crypto = name, c.crypto
			var all told
			all.listen(&o)
			l := open(t, newSource(t, o))[0]
			if c.want.ends {
				b, err := l.Read(bounded(t), 1000, 1<<20)
				if stop, ok := errors.AsType[*pipeline.TerminalError](err); !ok || stop.Reason != "KeyNeeded" || !errors.Is(err, entry.Encrypted) {
					t.Errorf("read %v, and want a terminal error: %v", b.Messages, err)
				}
			} else {
				read(t, l, c.want.values, done)
				s.Settled(t, topic, name)
			}
			if d := cmp.Diff(map[string]int{"encrypted": 1}, all.counts()); d != "" {
				t.Errorf("counted: %s", d)
			}
			if c.want.ends == all.has(entry.Encrypted) {
				t.Errorf("reported: %v", all.said)
			}
			if got := s.Backlog(t, topic, name); got != c.want.backlog {
				t.Errorf("%d entries wait, want %d", got, c.want.backlog)
			}
		})
	}
}

// What cannot be read is passed over, counted and reported; the rest arrives.
func TestPulsarMalformedEntries(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	s.Subscribe(t, topic, "sub", "earliest")
	s.Spoil(t, topic, pulsartest.Sound, pulsartest.Short, pulsartest.Sound, pulsartest.Wild, pulsartest.Sound)
	o := sourceOptions(s, topic, wire.Shared)
	var all told
	all.listen(&o)
	got := read(t, open(t, newSource(t, o))[0], 15, done)
	s.Settled(t, topic, "sub")
	if len(got) != 15 || !slices.Contains(valuesOf(got), "24/0//") {
		t.Errorf("messages %v", valuesOf(got))
	}
	if d := cmp.Diff(map[string]int{"batch": 2}, all.counts()); d != "" || !all.has(pulsar.ErrPassedOver) {
		t.Errorf("counted %s, reported %v", d, all.said)
	}
}

// A reader for people says what it cannot show, and shows the rest.
func TestPulsarReaderSaysWhatItCannotShow(t *testing.T) {
	s := pulsartest.Need(t)
	for name, last := range map[string]int{"All": 0, "Newest": 100} {
		t.Run(name, func(t *testing.T) {
			topic := s.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "t", 0)
			public, private := pulsartest.Keys(t)
			fill(t, s, topic, texts("v", 1), 1)
			encrypt(t, s, topic, public, private)
			s.Spoil(t, topic, pulsartest.Short, pulsartest.Sound, pulsartest.Short) // nothing that is shown follows the last one
			r, err := compatible.NewReader(bounded(t), compatible.ReaderOptions{Broker: s.Broker(), Topic: topic, Last: last, Earliest: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := r.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
			shown, failed := 0, map[entry.Defect]int{}
			for {
				_, err := r.Next(bounded(t))
				if errors.Is(err, io.EOF) {
					break
				}
				defect, is := errors.AsType[entry.Defect](err)
				switch {
				case err == nil:
					shown++
				case is:
					failed[defect]++
				default:
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(map[entry.Defect]int{entry.Encrypted: 1, entry.BatchFraming: 2}, failed); d != "" || shown != 6 {
				t.Errorf("%d messages and %s", shown, d)
			}
		})
	}
}

// At most once, what may be stored is not sent again, and a producer that lost its
// connection is given up: writes under way end, and the next have another one.
func TestPulsarAtMostOnceSinkGoesOn(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "t", 2)
	o := sinkOptions(s, topic)
	o.Delivery.Guarantee = "atmost_once"
	sink := newSink(t, o)
	ctx := bounded(t)
	var unloading sync.WaitGroup
	ended := make(chan struct{})
	unloading.Go(func() {
		defer close(ended)
		for range 5 {
			s.Unload(t, topic)
		}
	})
	out, failed, after := make([]pipeline.Message, 100), 0, 0
	for after < 5 { // writes that nothing disturbed
		for i := range out {
			out[i].Value = fmt.Append(nil, i)
		}
		_, err := sink.Write(ctx, out)
		if ctx.Err() != nil {
			t.Fatalf("a write hangs: %v", err)
		}
		if err != nil {
			failed++
		}
		select {
		case <-ended:
			if after++; err != nil {
				after = 0
			}
		default:
		}
	}
	unloading.Wait()
	t.Logf("%d writes failed", failed)
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

package nats

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	natsio "github.com/nats-io/nats.go"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// overWire is what the server makes of a header: written and read again as text.
func overWire(t *testing.T, h natsio.Header) natsio.Header {
	t.Helper()
	var text strings.Builder
	text.WriteString("NATS/1.0\r\n")
	if err := http.Header(h).Write(&text); err != nil {
		t.Fatal(err)
	}
	text.WriteString("\r\n")
	back, err := natsio.DecodeHeadersMsg([]byte(text.String()))
	if err != nil {
		t.Fatalf("%q: %v", text.String(), err)
	}
	return back
}

func TestCodecRoundTrip(t *testing.T) {
	cases := map[string]pipeline.Message{
		"Plain":      {Value: []byte("v")},
		"Empty":      {Value: []byte{}},
		"Nil":        {},
		"EmptyKey":   {Value: []byte("v"), Key: []byte{}},
		"BinaryKey":  {Value: []byte("v"), Key: []byte{0, 255, '\r', '\n'}},
		"EventTime":  {Value: []byte("v"), EventTime: -5},
		"Input":      {Value: []byte("v"), Properties: map[string]string{pipeline.InputTopic: "persistent://a/b/c;d", pipeline.InputID: "NQ=="}},
		"Properties": {Value: []byte("v"), Properties: map[string]string{"": "", "A": "1", "a": "2", "ä: x\r\n": " \r\nb ", "%41": "%41"}},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) { roundTrip(t, want) })
	}
}

func roundTrip(t *testing.T, want pipeline.Message) {
	t.Helper()
	h := maps.Clone(newEncoder().encode(&want).Header)
	got := pipeline.Message{Value: want.Value}
	if want.Value == nil {
		got.Value = []byte{}
	}
	if len(h) > 0 {
		if err := decodeHeader(overWire(t, h), &got); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEncodedSizeIsExact(t *testing.T) {
	m := pipeline.Message{Key: []byte("key"), Value: []byte("value"), EventTime: 12, Properties: map[string]string{"a": "b c", "d": ""}}
	var text strings.Builder
	if err := http.Header(newEncoder().encode(&m).Header).Write(&text); err != nil {
		t.Fatal(err)
	}
	want := len("NATS/1.0\r\n") + text.Len() + len("\r\n") + len(m.Value)
	if got := encodedSize(newEncoder().encode(&m)); got != want {
		t.Errorf("size %d, want %d", got, want)
	}
}

// Messages that an earlier version stored are read as they were.
func TestOlderHeadersAreRead(t *testing.T) {
	h := natsio.Header{
		wire.HeaderKey: {"AP8="}, wire.HeaderEventTime: {"-5"}, wire.HeaderNull: {"1"}, "Other": {"x"},
		wire.PropertyHeader("a: b"): {wire.PropertyValue(" \r\n%")},
	}
	got := pipeline.Message{Value: []byte{}}
	if err := decodeHeader(overWire(t, h), &got); err != nil {
		t.Fatal(err)
	}
	want := pipeline.Message{Key: []byte{0, 255}, EventTime: -5, Properties: map[string]string{"a: b": " \r\n%"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a later version adds in the same form does not hinder this one.
func TestUnknownFactsAreLeftOut(t *testing.T) {
	got := pipeline.Message{Value: []byte{}}
	if err := decodeHeader(natsio.Header{wire.HeaderFacts: {"1;zwhat;e7"}}, &got); err != nil || got.EventTime != 7 {
		t.Errorf("event time %d, %v", got.EventTime, err)
	}
}

func TestReplies(t *testing.T) {
	want := delivery{times: 2, stream: 30, consumer: 4, stamp: 1700000000000000000}
	for _, reply := range []string{
		"$JS.ACK.orders.fm.2.30.4.1700000000000000000.9",
		"$JS.ACK.hub.ACC.orders.fm.2.30.4.1700000000000000000.9",
		"$JS.ACK._.ACC.orders.fm.2.30.4.1700000000000000000.9.random",
	} {
		if got, ok := parseReply(reply); !ok || got != want {
			t.Errorf("%s: %+v, %t", reply, got, ok)
		}
	}
	for _, reply := range []string{"", "_INBOX.1", "$JS.ACK.", "$JS.ACK.a.b.c", "$JS.ACK.orders.fm.2.x.4.5.6"} {
		if got, ok := parseReply(reply); ok {
			t.Errorf("%s: %+v", reply, got)
		}
	}
}

func FuzzReplies(f *testing.F) {
	f.Add("$JS.ACK.orders.fm.2.30.4.1700000000000000000.9")
	f.Fuzz(func(_ *testing.T, reply string) { parseReply(reply) })
}

func TestDamagedHeadersAreRefused(t *testing.T) {
	cases := map[string]natsio.Header{
		"Key":       {wire.HeaderKey: {"%%%"}},
		"EventTime": {wire.HeaderEventTime: {"soon"}},
		"Name":      {wire.HeaderPropertyPrefix + "%zz": {"v"}},
		"Version":   {wire.HeaderFacts: {"2;kx"}},
		"NoVersion": {wire.HeaderFacts: {""}},
		"NoField":   {wire.HeaderFacts: {"1;"}},
		"Separator": {wire.HeaderFacts: {"1kx"}},
		"Escape":    {wire.HeaderFacts: {"1;k%f"}},
		"Property":  {wire.HeaderFacts: {"1;pname"}},
		"Time":      {wire.HeaderFacts: {"1;e"}},
		"Value":     {wire.HeaderPropertyPrefix + "a": {"%zz"}},
	}
	for name, h := range cases {
		t.Run(name, func(t *testing.T) {
			if decodeHeader(h, &pipeline.Message{}) == nil {
				t.Error("accepted")
			}
		})
	}
	foreign := natsio.Header{"Nats-Msg-Id": {"1"}, "Traceparent": {"00"}, "Empty": nil}
	if err := decodeHeader(foreign, &pipeline.Message{}); err != nil {
		t.Errorf("headers of others: %v", err)
	}
}

func FuzzCodec(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), int64(1), "name", "text")
	f.Add([]byte{}, []byte{}, int64(0), "", "\r\nInjected: yes")
	f.Fuzz(func(t *testing.T, key, value []byte, at int64, name, text string) {
		roundTrip(t, pipeline.Message{Key: key, Value: value, EventTime: at, Properties: map[string]string{name: text}})
	})
}

func FuzzDecodeHeader(f *testing.F) {
	f.Add(wire.HeaderFacts, "1;kx;e7;n;pa=b;ta;ib")
	f.Add(wire.HeaderFacts, "1;%")
	f.Add(wire.HeaderKey, "a2V5")
	f.Add(wire.HeaderEventTime, "12")
	f.Add(wire.HeaderNull, "1")
	f.Add(wire.HeaderPropertyPrefix+"a%20b", "c")
	f.Add(wire.HeaderPropertyPrefix, "%")
	f.Fuzz(func(_ *testing.T, name, value string) {
		m := pipeline.Message{Value: []byte("v")}
		_ = decodeHeader(natsio.Header{name: {value}}, &m) // whatever another program sent: no panic
	})
}

func FuzzPartitionOf(f *testing.F) {
	f.Add("fm.0011223344556677.3")
	f.Add("no-dot")
	f.Fuzz(func(t *testing.T, subject string) {
		if partitionOf(subject) < 0 {
			t.Error("negative")
		}
	})
}

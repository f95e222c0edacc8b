package conn

import (
	"bufio"
	"bytes"
	"math"
	"testing"

	_ "github.com/apache/pulsar-client-go/pulsar" // registers the original messages in the same binary
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

func TestMessagesLiveBesideTheOriginals(t *testing.T) {
	for _, name := range []string{"functionmesh.pulsar.v1.BaseCommand", "pulsar.proto.BaseCommand"} {
		if _, err := protoregistry.GlobalTypes.FindMessageByURL(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The number of a command's field is its type, or nothing of content holds.
func TestFieldsOfCommandsAreTheirTypes(t *testing.T) {
	all := (&pulsarpb.BaseCommand{}).ProtoReflect().Descriptor().Fields()
	for i := range all.Len() {
		f := all.Get(i)
		if f.Name() == "type" {
			continue
		}
		if _, known := pulsarpb.Type_name[int32(f.Number())]; !known {
			t.Errorf("%s has number %d, which is no type", f.Name(), f.Number())
		}
	}
	if got, want := all.Len()-1, len(pulsarpb.Type_name)-1; got != want {
		t.Errorf("%d commands, %d types", got, want)
	}
}

func message() *pulsarpb.BaseCommand {
	return &pulsarpb.BaseCommand{Message: &pulsarpb.Message{
		ConsumerId:      proto.Uint64(7),
		MessageId:       &pulsarpb.MessageId{LedgerId: proto.Uint64(300), EntryId: proto.Uint64(0), Partition: proto.Int32(-1)},
		RedeliveryCount: 2, AckSet: []int64{-1, 5}, ConsumerEpoch: proto.Uint64(9),
	}}
}

func receipt() *pulsarpb.BaseCommand {
	return &pulsarpb.BaseCommand{SendReceipt: &pulsarpb.SendReceipt{
		ProducerId: 3, SequenceId: 100, HighestSequenceId: 199,
		MessageId: &pulsarpb.MessageId{LedgerId: proto.Uint64(math.MaxUint64), EntryId: proto.Uint64(math.MaxUint64)},
	}}
}

func commandOf(t testing.TB, cmd *pulsarpb.BaseCommand) []byte {
	t.Helper()
	frame, err := encodeCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return frame[headSize:]
}

func TestHotCommandsAreDecoded(t *testing.T) {
	var d Delivery
	consumer, err := decodeMessage(commandOf(t, message()), &d)
	want := Delivery{Ledger: 300, Entry: 0, Redelivery: 2, AckSet: []int64{-1, 5}, Epoch: 9}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreUnexported(Delivery{})); diff != "" || consumer != 7 || err != nil {
		t.Errorf("consumer %d, %v (-want +got):\n%s", consumer, err, diff)
	}
	producer, r, err := decodeReceipt(commandOf(t, receipt()))
	if diff := cmp.Diff(Receipt{Sequence: 100, Highest: 199, Ledger: -1, Entry: -1}, r); diff != "" || producer != 3 || err != nil {
		t.Errorf("producer %d, %v (-want +got):\n%s", producer, err, diff)
	}
	if !r.Repeat() {
		t.Error("a dropped repeat is not told")
	}
}

func TestHotCommandsAllocateNothing(t *testing.T) {
	cmd := message()
	cmd.Message.AckSet = nil
	raw, rawReceipt := commandOf(t, cmd), commandOf(t, receipt())
	var d Delivery
	if n := testing.AllocsPerRun(100, func() {
		if commandType(raw) != pulsarpb.Type_MESSAGE {
			t.Error("no MESSAGE")
		}
		if _, err := decodeMessage(raw, &d); err != nil {
			t.Error(err)
		}
		if _, _, err := decodeReceipt(rawReceipt); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What arrives is not under our control: frames are refused or read, whatever they hold.
func FuzzFrames(f *testing.F) {
	for _, cmd := range []*pulsarpb.BaseCommand{message(), receipt(), {Ping: &pulsarpb.Ping{}}, {Success: &pulsarpb.Success{RequestId: 1}}} {
		frame, err := encodeCommand(cmd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
		f.Add(append(frame, frame[:5]...))
	}
	f.Add([]byte("HTTP/1.1 400 Bad Request"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := frameReader{r: bufio.NewReader(bytes.NewReader(stream)), pool: &buffers{}, limit: 1 << 16}
		for {
			got, err := r.next()
			if err != nil {
				return
			}
			kind := commandType(got.command)
			cmd, err := decodeCommand(got.command)
			if kind == pulsarpb.Type_MESSAGE {
				var d Delivery
				id, handErr := decodeMessage(got.command, &d)
				if handErr == nil && err == nil && cmd.Message != nil && id != cmd.Message.GetConsumerId() {
					t.Errorf("consumer %d by hand, %d generated", id, cmd.Message.GetConsumerId())
				}
			}
			if _, _, handErr := decodeReceipt(got.command); handErr == nil && err == nil && cmd.SendReceipt == nil {
				t.Error("a receipt by hand, none generated")
			}
			got.buffer.release()
		}
	})
}

func FuzzServiceURL(f *testing.F) {
	for _, s := range []string{"pulsar://a:1,b", "pulsar+ssl://[::1]:6651/", "pulsar://", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		s, err := parseService(url)
		if err == nil && len(s.hosts) == 0 {
			t.Error("no host and no error")
		}
	})
}

func TestServiceURL(t *testing.T) {
	for url, want := range map[string]service{
		"pulsar://a":                          {hosts: []string{"a:6650"}},
		"pulsar://a:1,b,[::1]:2,[::1]/":       {hosts: []string{"a:1", "b:6650", "[::1]:2", "[::1]:6650"}},
		"pulsar+ssl://a,b:7":                  {hosts: []string{"a:6651", "b:7"}, secure: true},
		"pulsar+ssl://broker.example.com:443": {hosts: []string{"broker.example.com:443"}, secure: true},
	} {
		got, err := parseService(url)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(service{})); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", url, err, diff)
		}
	}
}

func BenchmarkDecodeMessage(b *testing.B) {
	raw := commandOf(b, message())
	var d Delivery
	for b.Loop() {
		d.AckSet = d.AckSet[:0]
		if _, err := decodeMessage(raw, &d); err != nil {
			b.Fatal(err)
		}
	}
}

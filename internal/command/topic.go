package command

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
)

func newTopic(a *app) *cobra.Command {
	noun := group("topic", "Look into streams, write to them and read from them")
	s := &streams{app: a}
	s.register(noun)
	noun.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the topics of the namespace", Args: args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return s.list(cmd.Context()) },
		},
		newProduce(s), newConsume(s), newPeek(s), newRedrive(s), newSubscriptions(s), newUnsubscribe(s),
	)
	return noun
}

func topicTable(documents []catalog.Document) table {
	t := table{header: []string{"NAME", "PARTITIONS", "OWNER"}}
	for _, d := range documents {
		topic, err := decode[spec.Topic](d)
		partitions := "0"
		if err == nil && topic.Partitions != nil {
			partitions = strconv.Itoa(*topic.Partitions)
		}
		t.add(d.Key.Name, partitions, d.Marks.Owner)
	}
	return t
}

// stream is a topic of the embedded platform and how to reach it.
func (a *app) stream(ctx context.Context, verb, name string) (wire.Broker, string, error) {
	daemon, topic, err := a.topicOn(ctx, verb, name)
	if err != nil {
		return wire.Broker{}, "", err
	}
	broker, err := daemon.Broker(ctx)
	return broker, topic, err
}

func newProduce(a *streams) *cobra.Command {
	var file, key string
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Send each line of a file or of standard input as a message", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			in := a.Stdin
			if file != "" && file != "-" {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			n, err := a.produce(cmd.Context(), names[0], in, key)
			if err != nil {
				return fmt.Errorf("%w (%d messages were confirmed before)", err, n)
			}
			a.say("produced %d messages to %s", n, names[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "-", "file whose lines are the messages, - for standard input")
	cmd.Flags().StringVar(&key, "key", "", "key of every message")
	return cmd
}

func (a *streams) produce(ctx context.Context, name string, in io.Reader, key string) (sent int, err error) {
	producer, err := a.writer(ctx, "produce", name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, producer.Close(context.WithoutCancel(ctx))) }()
	lines := readLines(ctx, in)
	for {
		batch, more := lines.batch(ctx, key)
		n, err := producer.Produce(ctx, batch)
		sent += n
		switch {
		case ctx.Err() != nil:
			return sent, errInterrupted
		case err != nil:
			return sent, err
		case !more:
			return sent, lines.err
		}
	}
}

func newConsume(a *streams) *cobra.Command {
	var from string
	var count int
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "consume TOPIC", Short: "Print messages as they come, without touching any subscription", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			position := spec.Position(from)
			if position != spec.Earliest && position != spec.Latest {
				return usage("--from %q is not known: use earliest or latest", from)
			}
			if count < 0 || wait < 0 {
				return usage("-n and --timeout are not negative; 0 is no limit")
			}
			o := window{earliest: position == spec.Earliest, follow: true}
			return a.consume(cmd.Context(), "consume", names[0], o, limits{count: count, idle: wait})
		},
	}
	cmd.Flags().StringVar(&from, "from", string(spec.Latest), "earliest or latest")
	cmd.Flags().IntVarP(&count, "count", "n", 0, "end after so many messages; 0 never")
	cmd.Flags().DurationVar(&wait, "timeout", 0, "fail when no message came for so long; 0 never")
	return cmd
}

func newPeek(a *streams) *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use: "peek TOPIC", Short: "Print the newest messages and end", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if count < 1 {
				return usage("-n is a number from 1, not %d", count)
			}
			return a.consume(cmd.Context(), "peek", names[0], window{last: count}, limits{count: count})
		},
	}
	cmd.Flags().IntVarP(&count, "count", "n", 1, "how many")
	return cmd
}

// limits end a consume.
type limits struct {
	count int           // 0: none
	idle  time.Duration // 0: none
}

// errIdle is why a consume with a timeout ended.
var errIdle = errors.New("no message came within --timeout")

func (a *streams) consume(ctx context.Context, verb, name string, o window, l limits) (err error) {
	reader, err := a.reader(ctx, verb, name, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close(context.WithoutCancel(ctx))) }()
	out := bufio.NewWriter(a.Stdout)
	defer func() { err = errors.Join(err, out.Flush()) }()
	for n := 0; l.count == 0 || n < l.count; n++ {
		m, err := a.next(ctx, reader, out, l.idle)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil // an interrupt is how a person ends it
		}
		if err != nil {
			return fmt.Errorf("%s: %w (%d messages before)", name, err, n)
		}
		if err := a.printMessage(out, m); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a message; what was printed before is shown while it waits.
func (a *app) next(ctx context.Context, r streamReader, out *bufio.Writer, idle time.Duration) (nats.Message, error) {
	if err := out.Flush(); err != nil {
		return nats.Message{}, err
	}
	if idle > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, idle, errIdle)
		defer cancel()
	}
	m, err := r.Next(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errIdle) {
		return m, errIdle
	}
	return m, err
}

// shownMessage is a message as JSON and YAML. A value that is no text is base64.
type shownMessage struct {
	ID         string            `json:"id"`
	Partition  int               `json:"partition"`
	Key        string            `json:"key,omitempty"`
	Value      *string           `json:"value"`
	Base64     bool              `json:"base64,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	EventTime  int64             `json:"event_time,omitempty"`
	Published  int64             `json:"publish_time,omitempty"`
}

func (a *app) printMessage(out io.Writer, m nats.Message) error {
	if a.output == formatTable {
		_, err := fmt.Fprintf(out, "%s\n", m.Value)
		return err
	}
	if a.output != formatJSON {
		return unknownFormat(a.output, formatTable+" (the values)", formatJSON)
	}
	shown := shownMessage{ID: m.ID(), Partition: m.Partition, Key: string(m.Key), Properties: m.Properties, EventTime: m.EventTime, Published: m.PublishTime}
	if m.Value != nil {
		text := string(m.Value)
		if !utf8.Valid(m.Value) {
			text, shown.Base64 = base64.StdEncoding.EncodeToString(m.Value), true
		}
		shown.Value = &text
	}
	return json.NewEncoder(out).Encode(shown)
}

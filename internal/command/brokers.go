package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// brokers prepares streams through the brokers of a Pulsar themselves, for connections
// without a REST API. It connects anew for each request, none of which is frequent.
type brokers struct{ broker wire.Broker }

// EnsureTopic implements local.Cluster. A topic without partitions is made by the first
// who reads or writes it.
func (b brokers) EnsureTopic(ctx context.Context, topic string) (n int, err error) {
	err = b.with(ctx, func(c *conn.Client) error {
		n, err = c.Partitions(ctx, topic)
		return err
	})
	if name, parseErr := spec.ParseTopic(topic, "", ""); parseErr == nil && name.Partition != spec.NoPartition {
		n = 0
	}
	return n, err
}

// Subscribe implements local.Cluster.
func (b brokers) Subscribe(ctx context.Context, topic, subscription string, earliest bool) error {
	return b.each(ctx, topic, func(c *conn.Conn, partition string) error {
		at := cursor{Conn: c, topic: partition, subscription: subscription, position: pulsarpb.Subscribe_LATEST}
		if earliest {
			at.position = pulsarpb.Subscribe_EARLIEST
		}
		err := at.open(ctx)
		if refused, ok := errors.AsType[*conn.ServerError](err); ok && refused.Code == pulsarpb.Code_CONSUMER_BUSY {
			return nil // it is there, and somebody reads by it
		}
		if err != nil {
			return err
		}
		return at.close(ctx)
	})
}

// Unsubscribe implements local.Cluster.
func (b brokers) Unsubscribe(ctx context.Context, topic, subscription string) error {
	return b.each(ctx, topic, func(c *conn.Conn, partition string) error {
		at := cursor{Conn: c, topic: partition, subscription: subscription}
		if err := at.open(ctx); err != nil {
			return err
		}
		_, err := c.Request(ctx, &pulsarpb.BaseCommand{Unsubscribe: &pulsarpb.Unsubscribe{ConsumerId: at.id}})
		return errors.Join(err, at.close(ctx))
	})
}

// Seek implements local.Cluster.
func (b brokers) Seek(ctx context.Context, topic, subscription, to string) error {
	seek := &pulsarpb.Seek{}
	switch to {
	case string(spec.Earliest):
		seek.MessageId = &pulsarpb.MessageId{LedgerId: new(uint64(math.MaxUint64)), EntryId: new(uint64(math.MaxUint64))}
	case string(spec.Latest):
		seek.MessageId = &pulsarpb.MessageId{LedgerId: new(uint64(math.MaxInt64)), EntryId: new(uint64(math.MaxInt64))}
	default:
		at, err := time.Parse(time.RFC3339, to)
		if err != nil {
			return engine.New(engine.Invalid, fmt.Errorf("%q is no position", to))
		}
		seek.PublishTime = new(uint64(max(0, at.UnixMilli())))
	}
	return b.each(ctx, topic, func(c *conn.Conn, partition string) error {
		at := cursor{Conn: c, topic: partition, subscription: subscription}
		if err := at.open(ctx); err != nil {
			return err
		}
		seek.ConsumerId = at.id
		_, err := c.Request(ctx, &pulsarpb.BaseCommand{Seek: seek})
		return errors.Join(err, at.close(ctx))
	})
}

// Deduplicates implements local.Cluster: brokers tell no policies.
func (b brokers) Deduplicates(context.Context, string) (on, known bool, err error) {
	return false, false, nil
}

// with connects for one request. What cannot work is Invalid, what may work later is
// Unavailable.
func (b brokers) with(ctx context.Context, do func(*conn.Client) error) error {
	o := conn.Options{Patience: clusterTimeout}
	if b.broker.OAuth2 != nil {
		var err error
		if o.Credentials, err = compatible.Credentials(b.broker); err != nil {
			return engine.New(engine.Forbidden, err)
		}
	}
	client, err := conn.New(b.broker, o)
	if err != nil {
		return engine.New(engine.Invalid, err)
	}
	err = errors.Join(do(client), client.Close())
	if err == nil || ctx.Err() != nil {
		return err
	}
	class := engine.Unavailable
	if reason, terminal := conn.Terminal(err); terminal {
		class = map[string]engine.Class{
			"AuthenticationRefused": engine.Forbidden, "AuthorizationRefused": engine.Forbidden, "TopicNotFound": engine.NotFound,
		}[reason]
		if class == "" {
			class = engine.Invalid
		}
	}
	return engine.New(class, err)
}

// each does one thing to every partition, at the broker that owns it.
func (b brokers) each(ctx context.Context, topic string, do func(c *conn.Conn, partition string) error) error {
	n, err := b.EnsureTopic(ctx, topic)
	if err != nil {
		return err
	}
	partitions := []string{topic}
	if n > 0 {
		partitions = nil
		for p := range n {
			partitions = append(partitions, topic+"-partition-"+strconv.Itoa(p))
		}
	}
	return b.with(ctx, func(client *conn.Client) error {
		for _, p := range partitions {
			c, err := client.Connect(ctx, p)
			if err == nil {
				err = do(c, p)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// cursor is a consumer that asks for no message.
type cursor struct {
	*conn.Conn
	topic, subscription string
	position            pulsarpb.Subscribe_Position
	id                  *uint64
}

func (c *cursor) open(ctx context.Context) error {
	c.id = new(c.NextID())
	_, err := c.Request(ctx, &pulsarpb.BaseCommand{Subscribe: &pulsarpb.Subscribe{
		Topic: c.topic, Subscription: c.subscription, Mode: new(pulsarpb.Subscribe_EXCLUSIVE), ConsumerId: c.id,
		Durable: new(true), InitialPosition: new(c.position), ForceTopicCreation: new(true),
	}})
	return err
}

// close ends the consumer.
func (c *cursor) close(ctx context.Context) error {
	_, err := c.Request(ctx, &pulsarpb.BaseCommand{CloseConsumer: &pulsarpb.CloseConsumer{ConsumerId: c.id}})
	return err
}

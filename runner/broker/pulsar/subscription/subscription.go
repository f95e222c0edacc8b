package subscription

import (
	"context"
	"errors"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Subscription is a consumer that heals itself. One goroutine calls Receive; everything
// else may be called from any.
type Subscription struct{}

// Stats count since Open.
type Stats struct {
	Entries   int64 // handed out
	Messages  int64
	Bytes     int64 // on the wire
	Malformed int64 // handed out with Err
	Dropped   int64 // messages that were held when a connection ended; they come again
	Connects  int64 // successful SUBSCRIBE commands
	Queued    int64 // bytes held now
}

var errNotBuilt = errors.New("not built")

// Open subscribes. It returns when the broker has accepted, or refuses for good, or ctx
// ends.
func Open(ctx context.Context, o Options) (*Subscription, error) { return nil, errNotBuilt }

// Receive returns the next entry, malformed ones with Err set. Its error is terminal,
// but for the one of ctx.
func (s *Subscription) Receive(ctx context.Context) (*Delivery, error) { return nil, errNotBuilt }

// TryReceive is Receive for what is here already; nil: nothing.
func (s *Subscription) TryReceive() (*Delivery, error) { return nil, errNotBuilt }

// Ack acknowledges entries in as few commands as possible. Without a connection they
// are kept and go out first on the next one. With confirm it returns when the broker
// has answered, whatever connections that takes; without, at once, and errors are only
// those of a closed subscription.
func (s *Subscription) Ack(ctx context.Context, acks []Ack, confirm bool) error { return errNotBuilt }

// AckUpTo acknowledges an entry and all before it; not for Shared and KeyShared.
func (s *Subscription) AckUpTo(ctx context.Context, id entry.ID, confirm bool) error {
	return errNotBuilt
}

// Redeliver asks for entries again, at once and with a higher redelivery count; none:
// for all that are not acknowledged. Shared and KeyShared only count single entries.
func (s *Subscription) Redeliver(ctx context.Context, ids []entry.ID) error { return errNotBuilt }

// Active tells whether the broker delivers to this consumer: always but for Failover,
// where one consumer at a time is.
func (s *Subscription) Active() bool { return true }

// Changed is closed at the next change of Active or Incarnation.
func (s *Subscription) Changed() <-chan struct{} { return nil }

// Incarnation counts connections; 0: none now.
func (s *Subscription) Incarnation() uint64 { return 0 }

// LastID is the newest entry of the topic; Entry -1: it is empty.
func (s *Subscription) LastID(ctx context.Context) (entry.ID, error) { return entry.ID{}, errNotBuilt }

// Seek moves the subscription to an entry, which is delivered next. The broker closes
// all consumers for it; this one comes back by itself.
func (s *Subscription) Seek(ctx context.Context, id entry.ID) error { return errNotBuilt }

// Unsubscribe deletes the subscription on the broker; Close is still to be called.
func (s *Subscription) Unsubscribe(ctx context.Context) error { return errNotBuilt }

// Stats are a snapshot.
func (s *Subscription) Stats() Stats { return Stats{} }

// Close sends what is still to be acknowledged, closes the consumer and waits for the
// goroutine. What was delivered and not acknowledged goes to others.
func (s *Subscription) Close(ctx context.Context) error { return nil }

func (s *Subscription) recycle(*Delivery) {}

package pipeline

import (
	"log/slog"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Config is one instance's pipeline. Run opens Source and closes what it was given:
// Source, Sink, DeadLetter and the functions it made.
type Config struct {
	Source       Source
	Functions    Functions // nil: messages pass unchanged
	Sink         Sink      // nil: results are dropped
	DeadLetter   Sink      // nil: a message is dropped and counted after its last retry
	Delivery     wire.Delivery
	Limits       wire.Limits
	Subscription string              // named in dead letters
	Mask         func(string) string // what a dead letter's reason must not show; nil: all may be shown
	Budget       *Budget             // nil: made from Limits; hand one in to read its use
	Observer     Observer            // nil: nobody is told
	Logger       *slog.Logger        // nil: discarded
	Lanes        func(n int)         // told how many lanes are under way when that changes; nil: nobody is
	Drain        <-chan struct{}     // closed: stop reading, finish, settle, return nil (R7)
}

// What an unset limit means.
const (
	defaultBatchMessages = 1000
	defaultBatchBytes    = 1 << 20
	defaultInFlightBytes = 16 << 20
	defaultGrace         = 30 * time.Second
	defaultBackoff       = 100 * time.Millisecond
	defaultMaxBackoff    = 10 * time.Second
)

// Guarantees that Delivery.Guarantee names; anything else is at-least-once.
const (
	AtMostOnce      = "atmost_once"
	EffectivelyOnce = "effectively_once"
	Manual          = "manual"
)

// withDefaults fills every unset field.
func (c Config) withDefaults() Config {
	c.Limits.BatchMessages = positive(c.Limits.BatchMessages, defaultBatchMessages)
	c.Limits.BatchBytes = positive(c.Limits.BatchBytes, defaultBatchBytes)
	c.Limits.InFlightBytes = positive(c.Limits.InFlightBytes, defaultInFlightBytes)
	c.Limits.GraceMs = positive(c.Limits.GraceMs, defaultGrace.Milliseconds())
	c.Delivery.BackoffMs = positive(c.Delivery.BackoffMs, defaultBackoff.Milliseconds())
	c.Delivery.MaxBackoffMs = positive(c.Delivery.MaxBackoffMs, defaultMaxBackoff.Milliseconds())
	if c.Budget == nil {
		c.Budget = NewBudget(c.Limits.InFlightBytes)
	}
	if c.Mask == nil {
		c.Mask = func(text string) string { return text }
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Lanes == nil {
		c.Lanes = func(int) {}
	}
	if c.Sink == nil {
		c.Sink = dropped{}
	}
	return c
}

func positive[N int | int64](n, otherwise N) N {
	if n > 0 {
		return n
	}
	return otherwise
}

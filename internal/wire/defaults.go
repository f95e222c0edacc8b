package wire

// DefaultLimits bound an instance when nothing else is asked for: batches of 1000
// messages or 4 MiB, 64 MiB in flight, 25 s to drain; no limit of one call; the
// runtime's own memory limit.
func DefaultLimits() Limits {
	return Limits{
		BatchMessages: 1000,
		BatchBytes:    4 << 20,
		InFlightBytes: 64 << 20,
		GraceMs:       25_000,
	}
}

// ClaimMessages is how many messages an instance with at-most-once may claim at once,
// when nothing else is asked for and user code is quick.
const ClaimMessages = 4000

// DefaultDelivery is at-least-once with three retries, 100 ms before the first, doubled
// up to 10 s. It has no dead-letter topic: the platform names one.
func DefaultDelivery() Delivery {
	return Delivery{
		Guarantee: "atleast_once", MaxRetries: 3, BackoffMs: 100, MaxBackoffMs: 10_000,
		ForwardProperties: true,
	}
}

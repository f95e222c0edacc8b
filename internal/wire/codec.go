package wire

import "encoding/json"

// Encode writes the file in the current version.
func Encode(f File) ([]byte, error) { return json.Marshal(f) }

// Decode reads and validates a file of the current or the previous version.
func Decode(data []byte) (File, error) {
	var f File
	err := json.Unmarshal(data, &f)
	return f, err
}

// DefaultLimits bound an instance when nothing else is asked for.
func DefaultLimits() Limits {
	return Limits{
		BatchMessages: 1000,
		BatchBytes:    4 << 20,
		InFlightBytes: 64 << 20,
		GraceMs:       25_000,
	}
}

// DefaultDelivery is at-least-once with three retries and no dead-letter topic.
func DefaultDelivery() Delivery {
	return Delivery{
		Guarantee: "atleast_once", MaxRetries: 3, BackoffMs: 100, MaxBackoffMs: 10_000,
		ForwardProperties: true,
	}
}

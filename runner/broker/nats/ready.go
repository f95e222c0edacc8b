package nats

import "context"

// Connect opens the connection, so that an unreachable broker is known before the
// first write.
func (s *Sink) Connect(ctx context.Context) error {
	_, err := s.connected(ctx)
	return err
}

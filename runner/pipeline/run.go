package pipeline

import (
	"context"
	"errors"
)

// Run moves messages until the source is finished, Drain is closed or ctx ends.
//
//   - Drain closed: nil once everything read is settled, ErrGrace when that took longer
//     than Limits.GraceMs.
//   - ctx cancelled: stops at once with the context's error; nothing unsettled is lost.
//   - a *TerminalError of any part ends all lanes and is returned.
func Run(ctx context.Context, c Config) error {
	return errors.New("pipeline: not assembled")
}

package pipeline

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestUserFailuresReachTheLogSeldom(t *testing.T) {
	var text bytes.Buffer
	var some told
	began, failure := time.Now(), errors.New("boom")
	for _, at := range []time.Duration{0, time.Millisecond, time.Second, tellEvery} {
		some.failure(began.Add(at), slog.New(slog.NewTextHandler(&text, nil)), "lane", failure)
	}
	if n := strings.Count(text.String(), "boom"); n != 2 {
		t.Errorf("%d lines:\n%s", n, text.String())
	}
	if !strings.Contains(text.String(), "not_shown=2") {
		t.Errorf("what was left out is not counted:\n%s", text.String())
	}
}

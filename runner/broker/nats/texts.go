package nats

import "strings"

const textsSize = 16 << 10

// texts makes strings of bytes, many to one allocation.
type texts struct{ b strings.Builder }

func (t *texts) keep(b []byte) string {
	if t.b.Cap()-t.b.Len() < len(b) {
		t.b = strings.Builder{}
		t.b.Grow(max(textsSize, len(b)))
	}
	from := t.b.Len()
	t.b.Write(b)
	return t.b.String()[from:]
}

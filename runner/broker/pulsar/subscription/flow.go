package subscription

// flow decides how many messages to ask for. Permits count messages, but the broker
// sends entries, and outside Shared reads up to a hundred of them, 5 MB, as long as one
// permit is left. So the bound by bytes is kept by not granting: permits are worth the
// average size of the messages that came.
type flow struct {
	most    int64 // messages
	bytes   int64 // held at most
	elastic bool  // most is doubled when it holds up a reader
	used    bool  // the broker has used all permits since the reader last had nothing

	outstanding int64 // granted and not used up; below zero after the broker overshot
	messages    int64 // held
	held        int64 // bytes
	size        int64 // of a message on average, times sizeScale; 0: none came yet
}

const (
	// firstPermits is what is asked for before the size of a message is known.
	firstPermits = 16
	mostPermits  = 1 << 20
	sizeScale    = 16
)

// arrive takes in an entry.
func (f *flow) arrive(messages, bytes int64) {
	f.outstanding -= messages
	f.used = f.used || f.outstanding <= 0
	f.messages += messages
	f.held += bytes
	each := max(1, bytes*sizeScale/messages)
	if f.size == 0 {
		f.size = each
	}
	f.size = max(1, f.size+(each-f.size)/8)
}

// leave takes an entry out.
func (f *flow) leave(messages, bytes int64) {
	f.messages -= messages
	f.held -= bytes
}

// starve is for a reader that finds nothing. Where the broker had more than it was asked
// for, more is asked for from now on: a slow reader never comes here, and so leaves to
// other consumers what it does not need.
func (f *flow) starve() {
	if f.elastic && f.used {
		f.most = min(2*f.most, mostPermits)
	}
	f.used = false
}

// grant is how many permits to send now, which it counts as sent.
func (f *flow) grant() int64 {
	if f.held >= f.bytes {
		return 0
	}
	target := int64(firstPermits)
	if f.size > 0 {
		target = min(mostPermits, max(1, f.bytes*sizeScale/f.size))
	}
	if f.most > 0 {
		target = min(target, f.most)
	}
	want := target - f.outstanding - f.messages
	if want < max(1, target/2) {
		return 0
	}
	f.outstanding += want
	return want
}

// reset is for a new connection, which knows of no permits and has sent nothing.
func (f *flow) reset() {
	f.outstanding, f.messages, f.held, f.used = 0, 0, 0, false
}

package compatible

// bell wakes one who waits for it. Rung again before he looks, it wakes him once.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

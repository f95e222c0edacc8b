package pipeline

import "sync"

// numbers gives each lane the lowest number that no other lane has.
type numbers struct {
	tell  func(n int) // how many are taken
	mu    sync.Mutex
	taken []bool
	count int
}

func (n *numbers) take(many int) []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(many)
	got := make([]int, 0, many)
	for i := 0; len(got) < many; i++ {
		if i == len(n.taken) {
			n.taken = append(n.taken, false)
		}
		if !n.taken[i] {
			n.taken[i] = true
			got = append(got, i)
		}
	}
	return got
}

func (n *numbers) give(number int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken[number] = false
	n.add(-1)
}

func (n *numbers) add(many int) {
	if many == 0 {
		return
	}
	n.count += many
	n.tell(n.count)
}

func (n *numbers) active() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

package entry

import "fmt"

// ID is where an entry is stored in its partition.
type ID struct {
	Ledger int64
	Entry  int64
}

// String is the usual notation, ledger:entry.
func (id ID) String() string { return fmt.Sprintf("%d:%d", id.Ledger, id.Entry) }

// Compare orders by position: negative when id is before other.
func (id ID) Compare(other ID) int {
	switch {
	case id.Ledger != other.Ledger:
		return sign(id.Ledger - other.Ledger)
	default:
		return sign(id.Entry - other.Entry)
	}
}

func sign(n int64) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	default:
		return 0
	}
}

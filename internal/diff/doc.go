// Package diff compares two specs of one kind and says, path by path, what must
// change for the first to become the second. It is the only comparator there is.
//
// It is pure and knows types, not kinds: which field follows which rule is handed
// in as Rules, which the catalogue holds. It never flattens to text and performs no
// I/O. The catalogue and tests may import it.
package diff

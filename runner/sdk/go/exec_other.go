//go:build !unix && !wasip1

package function

// closeOnExec does nothing where descriptors are not inherited by number.
func closeOnExec(int) {}

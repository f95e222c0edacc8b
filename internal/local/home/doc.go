// Package home is the local platform's place on disk: where the data directory is,
// that it belongs to one daemon (locks), how to find that daemon (its record), the
// short directory for its sockets, and the copies of binaries it runs from.
//
// It knows nothing of what the platform stores. Only internal/local and its packages
// may import it.
package home

// Package store keeps what is declared on the local platform, and its secrets, in one
// private bbolt file: every write is synced before it returns, so that it survives
// the daemon's sudden end and the loss of power.
//
// Topics are not here: their streams describe themselves. The layout is versioned;
// opening an older one first copies it aside and then migrates. It decides nothing
// about what the objects mean. Only internal/local and its packages may import it.
package store

// Package supervisor runs the instances of components as child processes: it writes
// their wire files, starts, probes, restarts with backoff and drains them, keeps their
// logs, and removes what a daemon that was killed has left behind.
//
// What should run is told to it; it never reads the store and never talks to the
// broker. Every process it starts dies with the daemon. Only internal/local and its
// packages may import it.
package supervisor

// Package process holds what the local platform needs of the operating system about
// processes: an identity that survives the reuse of a pid, attributes for a detached
// daemon and for a child that dies with its parent, signals to a group.
//
// It starts nothing and decides nothing. Only internal/local and its packages may
// import it. Supported says whether this system has what it takes; elsewhere every
// function is inert, so that the module still builds.
package process

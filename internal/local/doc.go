// Package local is the embedded platform: one daemon per data directory that holds
// an embedded message broker, a store on disk and a supervisor running each instance
// as a child process, and serves the Pulsar admin REST API on a unix socket.
//
// Front ends meet it from outside: Ensure starts the daemon on demand and returns a
// Client, Dial only finds one, Reset removes everything. The daemon itself is Serve.
// What front ends declare goes through the REST API (Client.AdminURL); the Client
// carries only what Pulsar's API has no words for.
//
// Linux and macOS; elsewhere every entry point refuses. It never imports a front end
// or the runner. Provider and command may import it.
package local

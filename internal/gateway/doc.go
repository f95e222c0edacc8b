// Package gateway is the server side of the Pulsar admin REST API over any platform:
// it decodes requests with pulsarform, calls the platform's engine clients and
// answers as Pulsar does, status codes and error bodies included.
//
// It keeps nothing itself: user code and packages go to the stores its caller hands
// in. It never logs, and never reads a file or an address that a request names,
// except as Options allow. The local platform and the operator may import it.
package gateway

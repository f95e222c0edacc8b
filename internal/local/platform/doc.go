// Package platform is what the local platform does with what is declared: engine
// clients over the store, the broker and the supervisor. Creating a component makes
// its topics and subscriptions first, so that nothing that is published later is
// missed; changing one drains what differs and starts it again.
//
// It serves no requests itself. Only internal/local may import it.
package platform

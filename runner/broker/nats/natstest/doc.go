// Package natstest gives tests a NATS server, inside the test or as a process that can
// be stopped and killed, and the topics and subscriptions that a platform would make.
//
// It never ships in a program: only tests import it.
package natstest

// Package publisher is one producer on the topic of one partition. It sends entries
// that package entry formed, in order and without waiting, hands out the broker's
// receipt for each, and keeps itself connected: what has no receipt is sent again, in
// its order, or failed, as its owner chose.
//
// It never forms, splits or renumbers an entry. Packages below runner/broker/pulsar may
// import it.
package publisher

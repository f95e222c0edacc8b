package compatible

import (
	"errors"
	"fmt"
	"log/slog"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"
	"github.com/apache/pulsar-client-go/pulsar/log"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const reasonKey = "KeyNeeded"

var errNoKey = errors.New("nobody gave a key")

// sealed stands between the client and its way of decrypting, and tells what cannot be
// opened: the client would have it delivered again for ever, and what lies behind it
// handed out meanwhile.
type sealed struct {
	crypto.MessageCrypto
	keyless bool
	tell    func(error)
}

// Decrypt implements the client's MessageCrypto.
func (s *sealed) Decrypt(meta crypto.MessageMetadataSupplier, payload []byte, keys crypto.KeyReader) ([]byte, error) {
	opened, err := []byte(nil), errNoKey
	if !s.keyless {
		opened, err = s.MessageCrypto.Decrypt(meta, payload, keys)
	}
	if err != nil {
		s.tell(err)
	}
	return opened, err
}

// opening is how a consumer decrypts; of nil, an input without a key, it opens nothing.
func opening(of *pulsario.MessageDecryptionInfo, tell func(error)) (*pulsario.MessageDecryptionInfo, error) {
	info := pulsario.MessageDecryptionInfo{KeyReader: crypto.NewFileKeyReader("", "")} // never asked
	if of != nil {
		info = *of
	}
	// What it logs is told anyway.
	own, err := crypto.NewDefaultMessageCrypto("decrypt", false, log.NewLoggerWithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	info.MessageCrypto = &sealed{MessageCrypto: own, keyless: of == nil, tell: tell}
	return &info, nil
}

// unopened takes what cannot be decrypted. Unless the input says what becomes of it, the
// lane ends before it.
func (st *station) unopened(err error) {
	switch d := st.in.decryption; {
	case d == nil:
		st.refuse(fmt.Errorf("topic %s: %w: give the input cryptoConfig with its keys", st.topic, entry.Encrypted))
	case d.ConsumerCryptoFailureAction == crypto.ConsumerCryptoFailureActionFail:
		st.refuse(fmt.Errorf("topic %s: %w: give it the key, or say with consumerCryptoFailureAction what becomes of such messages, discard or consume",
			st.topic, &lockedError{err}))
	case d.ConsumerCryptoFailureAction == crypto.ConsumerCryptoFailureActionConsume:
		st.source.report(fmt.Errorf("topic %s: handed out as it is: %w", st.topic, &lockedError{err}))
		st.leaks.ring()
	default: // the client discards it, which its log tells
	}
}

// encrypted tells of a message that nothing opened whether something should have.
func encrypted(m pulsario.Message) bool {
	c := m.GetEncryptionContext()
	return c != nil && len(c.Keys) > 0
}

// lockedError is about an entry that the keys of its input do not fit.
type lockedError struct{ err error }

// Error says what the keys failed with.
func (e *lockedError) Error() string {
	return "entry is encrypted and no key of cryptoConfig opens it: " + e.err.Error()
}

// Unwrap makes errors.Is see that the entry is encrypted.
func (e *lockedError) Unwrap() []error { return []error{entry.Encrypted, e.err} }

// refuse ends the lane, for the first reason that there is.
func (st *station) refuse(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.refused != nil {
		return
	}
	st.refused = &pipeline.TerminalError{Reason: reasonKey, Err: err}
	close(st.shut)
	st.source.count(defectOf(err))
}

// refusal is why nothing more may be handed out; nil: it may.
func (st *station) refusal() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.refused == nil {
		return nil
	}
	return st.refused
}

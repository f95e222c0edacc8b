package spec

import "strings"

// Crypto is end-to-end encryption as our runner does it: keys in files.
type Crypto struct {
	PublicKeyFile  string
	PrivateKeyFile string
	Keys           []string // names of the keys to encrypt with
	Failure        string   // fail, discard, consume, send; "": fail
}

// InputCrypto is what cryptoConfig of an input says, nil where there is none.
func InputCrypto(in Input) *Crypto {
	return cryptoOf(in.Extra[cryptoKey], "consumerCryptoFailureAction")
}

// OutputCrypto is what cryptoConfig of a producer says, nil where there is none.
func OutputCrypto(p Producer) *Crypto {
	return cryptoOf(p.Extra[cryptoKey], "producerCryptoFailureAction")
}

func cryptoOf(config JSON, action string) *Crypto {
	object, err := config.Object()
	if config == "" || err != nil {
		return nil
	}
	files, _ := object["cryptoKeyReaderConfig"].(map[string]any)
	c := &Crypto{PublicKeyFile: keyFile(files["defaultPublicKey"]), PrivateKeyFile: keyFile(files["defaultPrivateKey"])}
	c.Failure, _ = object[action].(string)
	c.Failure = strings.ToLower(c.Failure)
	keys, _ := object["encryptionKeys"].([]any)
	for _, key := range keys {
		if name, ok := key.(string); ok {
			c.Keys = append(c.Keys, name)
		}
	}
	return c
}

// keyFile is the path of a key given as a path or as a file: URL.
func keyFile(v any) string {
	text, _ := v.(string)
	text = strings.TrimPrefix(text, "file:")
	if rest, ok := strings.CutPrefix(text, "//"); ok {
		return rest
	}
	return text
}

// ReadCompacted reports whether consumerProperties of an input ask for the newest message
// of each key only.
func ReadCompacted(in Input) bool {
	object, _ := in.Extra["consumerProperties"].Object()
	return object["readCompacted"] == "true"
}

// PatternName is the expression on full topic names that a pattern of a component means:
// one without a namespace speaks of the component's own.
func PatternName(c Component, pattern string) string {
	if strings.Contains(pattern, "://") {
		return pattern
	}
	if strings.Count(pattern, "/") >= 2 {
		return Persistent + "://" + pattern
	}
	return Persistent + "://" + or(c.Tenant, DefaultTenant) + "/" + or(c.Namespace, DefaultNamespace) + "/" + pattern
}

// crypto checks cryptoConfig for our runner: it reads keys from files, as Pulsar's own
// key reader does. key is the file it cannot do without.
func (f findings) crypto(config JSON, action, key string, failures ...string) {
	object, err := config.Object()
	if config == "" || err != nil {
		return // the type is reported by validation
	}
	const reader = "org.apache.pulsar.client.impl.DefaultCryptoKeyReader"
	if name, _ := object["cryptoKeyReaderClassName"].(string); name != "" && name != reader {
		f.field("cryptoKeyReaderClassName").fail("Our runner loads no Java classes.", "Leave it out, and name files in cryptoKeyReaderConfig.")
	}
	files, _ := object["cryptoKeyReaderConfig"].(map[string]any)
	at := f.field("cryptoKeyReaderConfig")
	for _, name := range SortedKeys(files) {
		one := at.below(at.at.entry(name))
		switch {
		case name != "defaultPublicKey" && name != "defaultPrivateKey":
			one.fail("Our runner knows defaultPublicKey and defaultPrivateKey.", "Leave it out.")
		case !strings.HasPrefix(keyFile(files[name]), "/"):
			one.fail("It is not the absolute path of a file.", "Write file:///etc/keys/public.pem.")
		}
	}
	if _, ok := files[key]; !ok {
		at.field(key).fail("The key is missing.", "Write "+key+` = "file:///…".`)
	}
	if text, _ := object[action].(string); text != "" {
		f.field(action).oneOf(strings.ToLower(text), failures...)
	}
}

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

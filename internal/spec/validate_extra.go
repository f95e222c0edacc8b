package spec

import (
	"encoding/json"
	"fmt"
)

// shape is what the value of a setting under Pulsar's name looks like.
type shape struct {
	kind   string           // of boolean, integer, string, texts (an object of strings), list (of strings), object
	least  int64            // of an integer
	fields map[string]shape // of an object; nil: any
}

// Shapes without more to say.
var (
	aBoolean = shape{kind: "boolean"}
	aText    = shape{kind: "string"}
	texts    = shape{kind: "texts"}
	anObject = shape{kind: "object"}
)

func cryptoShape() shape {
	return shape{kind: "object", fields: map[string]shape{
		"cryptoKeyReaderClassName": aText, "cryptoKeyReaderConfig": anObject, "encryptionKeys": {kind: "list"},
		"producerCryptoFailureAction": aText, "consumerCryptoFailureAction": aText,
	}}
}

func windowShape() shape {
	positive := shape{kind: "integer", least: 1}
	return shape{kind: "object", fields: map[string]shape{
		"windowLengthCount": positive, "windowLengthDurationMs": positive, "slidingIntervalCount": positive, "slidingIntervalDurationMs": positive,
		"lateDataTopic": aText, "maxLagMs": {kind: "integer"}, "watermarkEmitIntervalMs": positive, "timestampExtractorClassName": aText,
		"actualWindowFunctionClassName": aText, "processingGuarantees": aText,
	}}
}

// componentShapes are the settings of a FunctionConfig, SourceConfig or SinkConfig that
// have no attribute.
func componentShapes() map[string]shape {
	return map[string]shape{
		"runtimeFlags": aText, "customRuntimeOptions": aText, "functionType": aText, "sourceType": aText, "sinkType": aText,
		"inputTypeClassName": aText, "outputTypeClassName": aText, "fqfn": aText, "archive": aText,
		"jar": aText, "py": aText, "go": aText, "runtime": aText,
		"exposePulsarAdminClientEnabled": aBoolean, "maxPendingAsyncRequests": {kind: "integer", least: 1},
		"windowConfig": windowShape(), "customSchemaOutputs": texts, "topicToSchemaProperties": anObject,
		"batchSourceConfig": {kind: "object", fields: map[string]shape{"discoveryTriggererClassName": aText, "discoveryTriggererConfig": anObject}},
		"transformFunction": aText, "transformFunctionClassName": aText, "transformFunctionConfig": aText,
	}
}

// inputShapes are those of a ConsumerConfig.
func inputShapes() map[string]shape {
	return map[string]shape{
		"schemaProperties": texts, "consumerProperties": texts, "poolMessages": aBoolean, cryptoKey: cryptoShape(),
		"messagePayloadProcessorConfig": {kind: "object", fields: map[string]shape{"className": aText, "config": anObject}},
	}
}

// producerShapes are those of a ProducerConfig.
func producerShapes() map[string]shape {
	return map[string]shape{
		"maxPendingMessagesAcrossPartitions": {kind: "integer"}, "useThreadLocalProducers": aBoolean, cryptoKey: cryptoShape(),
		"roundRobinRouterBatchingPartitionSwitchFrequency": {kind: "integer"},
	}
}

// extra checks settings kept under Pulsar's names; words are those that have an
// attribute here, by Pulsar's name, shapes the others that Pulsar knows.
func (f findings) extra(settings map[string]JSON, words map[string]string, shapes map[string]shape) {
	for _, name := range SortedKeys(settings) {
		at := f.key(name)
		if word, ok := words[name]; ok {
			at.fail("The setting has an attribute of its own.", "Use "+word+".")
			continue
		}
		if name == "" {
			at.fail("The name of the setting is empty.", "")
		}
		value, err := decodeDocument([]byte(settings[name]))
		if settings[name] != "" && err != nil {
			at.fail(sentence(err.Error()), fmt.Sprintf("Give %s as JSON.", name))
			continue
		}
		want, known := shapes[name]
		switch {
		case known && value != nil:
			at.shaped(value, want)
		case !known && name != "":
			at.warn("It is no setting of Pulsar that we know.", "Check its name; it is passed on as it is.")
		}
	}
}

func (f findings) shaped(value any, want shape) {
	switch want.kind {
	case "texts":
		f.textsOnly(value)
	case "list":
		f.listOfTexts(value)
	case "object":
		f.shapedObject(value, want)
	case "integer":
		f.integer(value, want.least)
	case "boolean":
		if _, ok := value.(bool); !ok {
			f.failf("Write true or false.", "It is %s, not a boolean.", jsonType(value))
		}
	default:
		if _, ok := value.(string); !ok {
			f.failf("Write it in quotes, inside jsonencode.", "It is %s, not a string.", jsonType(value))
		}
	}
}

func (f findings) integer(value any, least int64) {
	number, ok := value.(json.Number)
	if !ok || !isInteger(number) {
		f.failf("", "It is %s, not an integer.", jsonType(value))
		return
	}
	n, _ := number.Int64() // isInteger has asked
	atLeast(f, &n, least)
}

func (f findings) textsOnly(value any) {
	object, ok := f.wantObject(value)
	if !ok {
		return
	}
	for _, name := range SortedKeys(object) {
		if _, text := object[name].(string); !text {
			f.below(f.at.entry(name)).failf("Write it in quotes.", "It is %s, not a string.", jsonType(object[name]))
		}
	}
}

func (f findings) listOfTexts(value any) {
	list, ok := value.([]any)
	if !ok {
		f.failf("Write [ … ].", "It is %s, not a list.", jsonType(value))
		return
	}
	for i, element := range list {
		if _, text := element.(string); !text {
			f.below(f.at.Index(i)).failf("Write it in quotes.", "It is %s, not a string.", jsonType(element))
		}
	}
}

func (f findings) shapedObject(value any, want shape) {
	object, ok := f.wantObject(value)
	if !ok || want.fields == nil {
		return
	}
	for _, name := range SortedKeys(object) {
		at := f.below(f.at.entry(name))
		inner, known := want.fields[name]
		switch {
		case object[name] == nil:
		case known:
			at.shaped(object[name], inner)
		default:
			at.failf("Known are "+orList(SortedKeys(want.fields))+".", "There is no such setting.")
		}
	}
}

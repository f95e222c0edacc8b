package conn

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// maxWords bounds what of a broker's words goes into an error.
const maxWords = 500

// content gives the type and the message of the command that is set.
func content(c *pulsarpb.BaseCommand) (t pulsarpb.Type, inner protoreflect.Message) {
	c.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() != protoreflect.MessageKind {
			return true
		}
		t, inner = pulsarpb.Type(f.Number()), v.Message()
		return false
	})
	return t, inner
}

// requestID reads the id of a command that has one.
func requestID(c *pulsarpb.BaseCommand) (id uint64, ok bool) {
	_, inner := content(c)
	f := idField(inner)
	if f == nil {
		return 0, false
	}
	return inner.Get(f).Uint(), true
}

// setRequestID writes the id of a command that has one.
func setRequestID(c *pulsarpb.BaseCommand, id uint64) bool {
	_, inner := content(c)
	f := idField(inner)
	if f == nil {
		return false
	}
	inner.Set(f, protoreflect.ValueOfUint64(id))
	return true
}

func idField(m protoreflect.Message) protoreflect.FieldDescriptor {
	if m == nil {
		return nil
	}
	return m.Descriptor().Fields().ByName("request_id")
}

// topicOf names the topic that a command is about; "": none.
func topicOf(c *pulsarpb.BaseCommand) string {
	_, inner := content(c)
	if inner == nil {
		return ""
	}
	f := inner.Descriptor().Fields().ByName("topic")
	if f == nil {
		return ""
	}
	return inner.Get(f).String()
}

// refusal gives the error that an answer carries; nil: none.
func refusal(answer *pulsarpb.BaseCommand) *ServerError {
	switch {
	case answer.Error != nil:
		return &ServerError{Code: answer.Error.Code, Message: answer.Error.Message}
	case answer.LookupResponse.GetOutcome() == pulsarpb.LookupResponse_FAILED:
		return &ServerError{Code: answer.LookupResponse.Code, Message: answer.LookupResponse.Message}
	case answer.PartitionMetadataResponse.GetOutcome() == pulsarpb.PartitionMetadataResponse_FAILED:
		return &ServerError{Code: answer.PartitionMetadataResponse.Code, Message: answer.PartitionMetadataResponse.Message}
	case answer.AckResponse != nil && answer.AckResponse.Code != nil:
		return &ServerError{Code: answer.AckResponse.GetCode(), Message: answer.AckResponse.Message}
	case answer.GetSchemaResponse != nil && answer.GetSchemaResponse.Code != nil:
		return &ServerError{Code: answer.GetSchemaResponse.GetCode(), Message: answer.GetSchemaResponse.Message}
	case answer.GetOrCreateSchemaResponse != nil && answer.GetOrCreateSchemaResponse.Code != nil:
		return &ServerError{Code: answer.GetOrCreateSchemaResponse.GetCode(), Message: answer.GetOrCreateSchemaResponse.Message}
	default:
		return nil
	}
}

// refusedBy completes a refusal with what was asked of whom.
func refusedBy(e *ServerError, broker string, asked *pulsarpb.BaseCommand) *ServerError {
	e.Broker, e.Topic = broker, topicOf(asked)
	e.Command, _ = content(asked)
	if len(e.Message) > maxWords {
		e.Message = e.Message[:maxWords] + "…"
	}
	return e
}

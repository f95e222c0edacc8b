package frame

import "time"

// Level is how serious a record of a log is.
type Level uint8

// The levels of Pulsar's log topics, in their order.
const (
	Trace Level = iota + 1
	Debug
	Info
	Warn
	Error
	Fatal
)

// String is the word that Pulsar's log topics use.
func (l Level) String() string {
	names := [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
	if l < Trace || l > Fatal {
		return "INFO"
	}
	return names[l-1]
}

// LogRecord is one record that user code gave to its logger. Its text may hold secrets
// and is masked by whoever passes it on.
type LogRecord struct {
	Time    time.Time
	Level   Level
	Text    string
	Message string // id of the message at work, as the pipeline prints it; "": none
}

// LogSink takes the records of user code's logger. Log never blocks: a sink that
// cannot keep up drops and counts.
type LogSink interface {
	Log(r LogRecord)
}

// Log hands every record to sink, which may be nil.
func Log(records []LogRecord, sink LogSink) {
	if sink == nil {
		return
	}
	for i := range records {
		sink.Log(records[i])
	}
}

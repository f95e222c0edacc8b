// Package file is the built-in connector between files and topics, one message per
// line: a source that reads a file once or follows it through rotation and
// truncation, and a sink that appends.
//
// The source keeps its position in the instance's own directory and saves it only when
// messages are settled. The sink syncs before it confirms and repairs what a crash
// left behind. It reads and writes no other path than the configured one and, after a
// rotation, the files beside it that begin with its name. Only runner/instance imports
// it.
package file

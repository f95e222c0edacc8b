package probe_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe/controlpb"
)

func dial(t *testing.T, address net.Addr) *grpc.ClientConn {
	t.Helper()
	target := address.String()
	if address.Network() == "unix" {
		target = "unix:" + target
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func control(t *testing.T, p *probe.Probe) *grpc.ClientConn {
	t.Helper()
	s, err := p.ServeControl(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return dial(t, s.Addr())
}

func call[T proto.Message](t *testing.T, conn *grpc.ClientConn, method string, out T) T {
	t.Helper()
	if err := conn.Invoke(t.Context(), "/proto.InstanceControl/"+method, &emptypb.Empty{}, out); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return out
}

func TestInstanceControl(t *testing.T) {
	p := newProbe("function")
	conn := control(t, p)
	p.Received(10)
	p.Processed(8, 16*time.Millisecond)
	p.Failed(pipeline.User, errors.New("bad password hunter22"))
	p.Failed(pipeline.SinkFailure, errors.New("disk"))
	p.Metric("orders", 4)
	p.SetReady(true)

	got := call(t, conn, "GetFunctionStatus", &controlpb.FunctionStatus{})
	if !got.GetRunning() || got.GetNumReceived() != 10 || got.GetNumSuccessfullyProcessed() != 8 || got.GetNumUserExceptions() != 1 || got.GetNumSinkExceptions() != 1 ||
		got.GetAverageLatency() != 2 || got.GetInstanceId() != "2" || got.GetWorkerId() != "local-1" || got.GetLastInvocationTime() == 0 {
		t.Errorf("status: %v", got)
	}
	if e := got.GetLatestUserExceptions(); len(e) != 1 || e[0].GetExceptionString() != "bad password ********" || e[0].GetMsSinceEpoch() == 0 {
		t.Errorf("exceptions: %v", e)
	}
	if !call(t, conn, "HealthCheck", &controlpb.HealthCheckResult{}).GetSuccess() {
		t.Error("not healthy")
	}

	first := call(t, conn, "GetAndResetMetrics", &controlpb.MetricsData{})
	if first.GetReceivedTotal() != 10 || first.GetReceivedTotal_1Min() != 10 || first.GetAvgProcessLatency_1Min() != 2 || first.GetUserMetrics()["orders_sum"] != 4 || first.GetUserMetrics()["orders_0.99"] != 4 {
		t.Errorf("metrics: %v", first)
	}
	p.Received(1)
	second := call(t, conn, "GetMetrics", &controlpb.MetricsData{})
	if second.GetReceivedTotal() != 11 || second.GetReceivedTotal_1Min() != 1 || second.GetProcessedSuccessfullyTotal_1Min() != 0 {
		t.Errorf("after the reset: %v", second)
	}
	call(t, conn, "ResetMetrics", &emptypb.Empty{})
	if third := call(t, conn, "GetMetrics", &controlpb.MetricsData{}); third.GetReceivedTotal_1Min() != 0 || third.GetReceivedTotal() != 11 {
		t.Errorf("after the second reset: %v", third)
	}
	err := conn.Invoke(t.Context(), "/proto.InstanceControl/Explode", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
}

func TestControlIsForItsUserOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80"} {
		if s, err := newProbe("function").ServeControl(t.Context(), address); err == nil {
			_ = s.Close()
			t.Errorf("%q was taken", address)
		}
	}
	dir, err := os.MkdirTemp("", "fm") //nolint:usetesting // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "c")
	s, err := newProbe("function").ServeControl(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	call(t, dial(t, s.Addr()), "HealthCheck", &controlpb.HealthCheckResult{})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// The messages are compared with those of the distribution's own Python instance, which
// carries the compiled description of the protocol.
func TestPulsarInstanceControlIsTheOfficialOne(t *testing.T) {
	dist := os.Getenv("TESTPULSAR_DIST")
	if dist == "" {
		t.Skip("TESTPULSAR_DIST names no distribution")
	}
	official := officialProtocol(t, filepath.Join(dist, "instances", "python-instance", "InstanceCommunication_pb2.py"))
	for _, ours := range []protoreflect.MessageDescriptor{
		(&controlpb.FunctionStatus{}).ProtoReflect().Descriptor(), (&controlpb.MetricsData{}).ProtoReflect().Descriptor(), (&controlpb.HealthCheckResult{}).ProtoReflect().Descriptor(),
		(&controlpb.FunctionStatus_ExceptionInformation{}).ProtoReflect().Descriptor(),
	} {
		var theirs protoreflect.MessageDescriptor
		if parent, ok := ours.Parent().(protoreflect.MessageDescriptor); ok {
			theirs = official.Messages().ByName(parent.Name()).Messages().ByName(ours.Name())
		} else {
			theirs = official.Messages().ByName(ours.Name())
		}
		if d := cmp.Diff(fields(theirs), fields(ours)); d != "" {
			t.Errorf("%s: %s", ours.Name(), d)
		}
	}
	service := official.Services().ByName("InstanceControl")
	if service.FullName() != "proto.InstanceControl" {
		t.Errorf("the service is %s", service.FullName())
	}
	conn := control(t, newProbe("function"))
	for i := range service.Methods().Len() {
		if err := conn.Invoke(t.Context(), "/"+string(service.FullName())+"/"+string(service.Methods().Get(i).Name()), &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
			t.Errorf("%s: %v", service.Methods().Get(i).Name(), err)
		}
	}
}

func fields(m protoreflect.MessageDescriptor) map[int]string {
	all := map[int]string{}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		all[int(f.Number())] = string(f.Name()) + " " + f.Kind().String() + " " + f.Cardinality().String()
	}
	return all
}

// officialProtocol takes the description out of generated Python: one bytes literal.
func officialProtocol(t *testing.T, file string) protoreflect.FileDescriptor {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`AddSerializedFile\(b'(.*)'\)`).FindSubmatch(source)
	if literal == nil {
		t.Fatal("there is no description of the protocol")
	}
	text := regexp.MustCompile(`\\'`).ReplaceAllString(string(literal[1]), "'")
	raw, err := strconv.Unquote(`"` + regexp.MustCompile(`(^|[^\\])"`).ReplaceAllString(text, `$1\"`) + `"`)
	if err != nil {
		t.Fatal(err)
	}
	var described descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal([]byte(raw), &described); err != nil {
		t.Fatal(err)
	}
	official, err := protodesc.NewFile(&described, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return official
}

// An instance that fails at once closes what has hardly begun, which is no failure of its own.
func TestControlClosedAtOnce(t *testing.T) {
	p := probe.New(probe.Options{})
	for range 200 {
		s, err := p.ServeControl(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe/controlpb"
)

// controlService is the path of the service on the wire.
const controlService = "proto.InstanceControl"

// controls are the calls of the service.
type controls interface {
	functionStatus() *controlpb.FunctionStatus
	metricsData() *controlpb.MetricsData
	resetMetrics()
}

// ControlServer serves InstanceControl on one address until it is closed.
type ControlServer struct {
	grpc *grpc.Server
	addr net.Addr
	done chan error
}

// ServeControl listens on unix:/path, with mode 0600, or on host:port of the loopback
// interface: nobody is asked who they are.
func (p *Probe) ServeControl(ctx context.Context, address string) (*ControlServer, error) {
	if !strings.HasPrefix(address, "unix:") && !loopback(address) {
		return nil, fmt.Errorf("control on %s: it is not on the loopback interface, and the service asks nobody who they are; use unix:/path or 127.0.0.1:port", address)
	}
	listener, err := listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("control on %s: %w", address, err)
	}
	s := &ControlServer{grpc: grpc.NewServer(), addr: listener.Addr(), done: make(chan error, 1)}
	s.grpc.RegisterService(describe(), p)
	go func() { s.done <- s.grpc.Serve(listener) }()
	return s, nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Addr is where the server listens.
func (s *ControlServer) Addr() net.Addr { return s.addr }

// Close ends the server and its calls at once and waits for it.
func (s *ControlServer) Close() error {
	s.grpc.Stop()
	if err := <-s.done; !errors.Is(err, grpc.ErrServerStopped) { // which is told where it had not begun
		return err
	}
	return nil
}

func describe() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: controlService, HandlerType: (*controls)(nil),
		Methods: []grpc.MethodDesc{
			method("GetFunctionStatus", func(c controls) any { return c.functionStatus() }),
			method("GetAndResetMetrics", func(c controls) any { defer c.resetMetrics(); return c.metricsData() }),
			method("ResetMetrics", func(c controls) any { c.resetMetrics(); return &emptypb.Empty{} }),
			method("GetMetrics", func(c controls) any { return c.metricsData() }),
			method("HealthCheck", func(controls) any { return &controlpb.HealthCheckResult{Success: true} }),
		},
		Metadata: "InstanceCommunication.proto",
	}
}

// method is one call without parameters.
func method(name string, answer func(controls) any) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := &emptypb.Empty{}
		if err := decode(in); err != nil {
			return nil, err
		}
		call := func(context.Context, any) (any, error) { return answer(server.(controls)), nil }
		if intercept == nil {
			return call(ctx, in)
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{Server: server, FullMethod: "/" + controlService + "/" + name}, call)
	}}
}

func (p *Probe) functionStatus() *controlpb.FunctionStatus {
	s := p.Status()
	return &controlpb.FunctionStatus{
		Running: s.Ready, NumReceived: s.Received, NumSuccessfullyProcessed: s.Processed,
		NumUserExceptions: s.UserExceptions, LatestUserExceptions: informations(s.LatestUser),
		NumSystemExceptions: s.SystemExceptions, LatestSystemExceptions: informations(s.LatestSystem),
		NumSourceExceptions: s.SourceExceptions, LatestSourceExceptions: informations(s.LatestSource),
		NumSinkExceptions: s.SinkExceptions, LatestSinkExceptions: informations(s.LatestSink),
		AverageLatency: s.AverageLatencyMs, LastInvocationTime: s.LastInvocationMs,
		InstanceId: strconv.Itoa(p.opts.Instance.ID), WorkerId: p.opts.Instance.Platform,
	}
}

func informations(latest []wire.Exception) []*controlpb.FunctionStatus_ExceptionInformation {
	all := make([]*controlpb.FunctionStatus_ExceptionInformation, 0, len(latest))
	for _, e := range latest {
		all = append(all, &controlpb.FunctionStatus_ExceptionInformation{ExceptionString: e.Message, MsSinceEpoch: e.AtMs})
	}
	return all
}

func (p *Probe) metricsData() *controlpb.MetricsData {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll()
	total, minute := p.total, p.minute.counts
	data := &controlpb.MetricsData{
		ReceivedTotal: total.received, ReceivedTotal_1Min: minute.received,
		ProcessedSuccessfullyTotal: total.processed, ProcessedSuccessfullyTotal_1Min: minute.processed,
		SystemExceptionsTotal: total.failed[pipeline.System], SystemExceptionsTotal_1Min: minute.failed[pipeline.System],
		UserExceptionsTotal: total.failed[pipeline.User], UserExceptionsTotal_1Min: minute.failed[pipeline.User],
		AvgProcessLatency: average(total), AvgProcessLatency_1Min: average(minute),
		UserMetrics: make(map[string]float64, len(p.user)),
	}
	if !p.invoked.IsZero() {
		data.LastInvocation = p.invoked.UnixMilli()
	}
	for name, m := range p.user {
		data.UserMetrics[name+"_count"], data.UserMetrics[name+"_sum"] = float64(m.count), m.sum
		for quantile, value := range quantiles(m.summary) {
			data.UserMetrics[name+"_"+strconv.FormatFloat(quantile, 'f', -1, 64)] = value
		}
	}
	return data
}

// resetMetrics begins the minute anew; totals stay, as with Pulsar's own instances.
func (p *Probe) resetMetrics() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.minute = newMinute()
}

package wasm
import ("testing";"time";"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame";"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline")
func TestTmp(t *testing.T){
 t0:=time.Now()
 f,err:=New(t.Context(),Options{File:"/tmp/runtime/exclaim.wasm",Start:frame.Start{Tenant:"a"},Rerun:true})
 if err!=nil{t.Fatal(err)}
 t.Log(time.Since(t0))
 l,_:=f.ForLane(t.Context(),0)
 in:=make([]pipeline.Message,1000)
 for i:=range in{in[i]=pipeline.Message{Value:[]byte("hello hello hello hello hello hello hello"),Topic:"persistent://public/default/x",ID:"12:3"}}
 r,err:=l.Invoke(t.Context(),in)
 if err!=nil{t.Fatal(err)}
 t.Logf("%q",r[0].Outputs[0].Value)
 t0=time.Now()
 for range 1000 { l.Invoke(t.Context(),in)}
 t.Log(time.Since(t0)/1000000)
}

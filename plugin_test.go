package main

import "testing"

func TestLogsAreWrittenOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		environ []string
		want    bool
	}{
		"Nothing":       {environ: []string{"PATH=/bin", "MY_TF_LOG=trace"}},
		"Empty":         {environ: []string{"TF_LOG=", "TF_LOG_PROVIDER="}},
		"All":           {environ: []string{"TF_LOG=debug"}, want: true},
		"OfProviders":   {environ: []string{"TF_LOG_PROVIDER=trace"}, want: true},
		"OfTheLibrary":  {environ: []string{"TF_LOG_SDK_FRAMEWORK=trace"}, want: true},
		"OfOneProvider": {environ: []string{"TF_LOG_PROVIDER_FUNCTIONMESH=info"}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := logsAsked(tc.environ); got != tc.want {
				t.Errorf("logsAsked(%q) = %v, want %v", tc.environ, got, tc.want)
			}
		})
	}
}

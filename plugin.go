package main

import (
	"os"
	"runtime/debug"
	"strings"
)

const (
	logVariables = "TF_LOG"     // how all variables about logging begin
	logOfSDK     = "TF_LOG_SDK" // the level of what the plugin libraries log

	// collectAt is how far, in percent of what lives, the heap grows until it is
	// collected; heapLimit is where it is collected in any case. Requests of Terraform
	// leave much garbage and little that lives.
	collectAt = 400
	heapLimit = 96 << 20
)

// tune prepares this process for a large plan. What the user's environment says wins.
func tune() {
	// The plugin libraries log every step of every attribute and Terraform reads and
	// drops it all when it logs nothing itself: that is half of what a plan costs.
	if !logsAsked(os.Environ()) {
		_ = os.Setenv(logOfSDK, "warn") // fails for malformed names only
	}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(collectAt)
		debug.SetMemoryLimit(heapLimit)
	}
}

// logsAsked reports whether a variable of Terraform's logging is set.
func logsAsked(environ []string) bool {
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, logVariables) && value != "" {
			return true
		}
	}
	return false
}

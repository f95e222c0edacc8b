package compatible

import "time"

// LookEvery sets how often a source looks for new topics and partitions.
func LookEvery(s *Source, d time.Duration) { s.every = d }

// LosePatience sets how long a consumer may take to come back.
func LosePatience(s *Source, d time.Duration) { s.patience = d }

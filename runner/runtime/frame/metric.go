package frame

// Metric is what user code observed under one name during the batch.
type Metric struct {
	Name   string
	Values []float64
}

// Observe hands every observation to observe, which may be nil.
func Observe(metrics []Metric, observe func(name string, value float64)) {
	if observe == nil {
		return
	}
	for _, m := range metrics {
		for _, v := range m.Values {
			observe(m.Name, v)
		}
	}
}

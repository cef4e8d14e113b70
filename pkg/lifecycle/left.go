package lifecycle

// Left returns the phase that the stop is in, and the sum of what Remaining says for those of its parts that have not
// stopped yet: what this phase waits for. Both are 0 unless the group is stopping. It blocks while the Remaining of a part
// does, and a Remaining that panics counts as 0.
func (g *Group) Left() (ph Phase, n int64) {
	g.mu.Lock()
	st := g.current
	if st == nil || len(g.report.Phases) == phaseCount {
		g.mu.Unlock()
		return 0, 0
	}
	ph, parts := st.phase, st.parts
	g.mu.Unlock()
	for _, in := range parts {
		if in.part.Remaining == nil || happened(in.stopDone) {
			continue
		}
		_ = safely(func() error { n += in.part.Remaining(); return nil }) // the report tells of the panic
	}
	return ph, n
}

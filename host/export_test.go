package host

// SetProgramBudget changes how much the programs in memory may keep.
func (h *Host) SetProgramBudget(n int64) { h.programs.budget = n }

// LoadedPrograms is how many programs are in memory.
func (h *Host) LoadedPrograms() int {
	h.programs.mu.Lock()
	defer h.programs.mu.Unlock()
	return h.programs.order.Len()
}

package metering

import (
	"os"
	"testing"
)

// SetLimit changes the size at which a journal is followed by the next.
func (m *Meter) SetLimit(n int64) { m.limit = n }

// BreakJournal makes every write fail for want of room, until restored.
func (m *Meter) BreakJournal(t *testing.T) (restore func()) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	whole := m.current.file
	m.current.file = full
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.current.file = whole
		full.Close()
	}
}

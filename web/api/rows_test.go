package api

import (
	"fmt"
	"testing"

	"github.com/agora-host/agora/metering"
)

// TestUsageRows: each row of a report is on one page, in order, and a cursor of another report
// is refused.
func TestUsageRows(t *testing.T) {
	all := metering.Report{By: []string{"app", "tier"}}
	for i := range 25 {
		all.Rows = append(all.Rows, metering.Row{Group: map[string]string{"app": fmt.Sprint("a", i/2), "tier": fmt.Sprint(i % 2)}})
	}
	seen, pages := 0, 0
	for cursor := ""; pages == 0 || cursor != ""; pages++ {
		page, err := rowsFrom(all, cursor, 10)
		if err != nil || len(page.Rows) > 10 {
			t.Fatalf("%d rows, %v", len(page.Rows), err)
		}
		for _, row := range page.Rows {
			if rowCursor(all, row) != rowCursor(all, all.Rows[seen]) {
				t.Fatalf("row %d is %v", seen, row.Group)
			}
			seen++
		}
		cursor = page.Next
	}
	if seen != 25 || pages != 3 {
		t.Errorf("%d rows on %d pages", seen, pages)
	}
	if _, err := rowsFrom(all, "x", 10); err == nil {
		t.Error("a cursor that is none")
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// benchUsage measures the usage page over 90 days, beside the same report made
// of every hour. It needs what is internal to the node, so it is a benchmark in
// host; this runs it.
func benchUsage(ctx context.Context, apps int) error {
	fmt.Printf("\n## Usage: %d apps, 90 days, each hour\n\n", apps)
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkUsage$", "-benchtime", "10x", "-timeout", "60m", "./host")
	cmd.Dir = filepath.Join("..")
	cmd.Env = append(os.Environ(), fmt.Sprintf("AGORA_USAGE=%dx90", apps))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

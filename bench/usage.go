package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// benchUsage measures the usage page over 90 days, beside the same report made
// of every hour.
func benchUsage(ctx context.Context, apps int) error {
	fmt.Printf("\n## Usage: %d apps, 90 days, each hour\n\n", apps)
	return benchHost(ctx, "^BenchmarkUsage$", "3x", fmt.Sprintf("AGORA_USAGE=%dx90", apps))
}

// benchBackup measures requests while a backup of so many megabytes runs, beside
// the same without one.
func benchBackup(ctx context.Context, megabytes int) error {
	fmt.Printf("\n## Backup: %d MB\n\n", megabytes)
	return benchHost(ctx, "^BenchmarkBackup$", "1x", fmt.Sprintf("AGORA_BACKUP_MB=%d", megabytes))
}

// benchHost runs a benchmark of package host: one that needs what is internal to
// the node.
func benchHost(ctx context.Context, name, times, env string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", name, "-benchtime", times, "-timeout", "60m", "./host")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), env)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/script/isolate"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "compile-worker" {
		os.Exit(engine.CompileWorker(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 1 && os.Args[1] == "build-worker" {
		os.Exit(isolate.Worker(os.Stdin, os.Stdout))
	}
	log.SetFlags(0)
	if len(os.Args) == 3 && os.Args[1] == "siege-node" {
		if err := runSiegeNode(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "siege-busy" {
		spinForEver()
	}
	which := flag.String("run", "fuel,compile,further,engine,park,hostile,calls,stream,http,fetch,journal,recover,upload,triggers,density", "which parts to run")
	span := flag.Duration("time", 3*time.Second, "how long each HTTP measurement takes")
	apps := flag.Int("apps", 1000, "how many apps the density part and the siege's restarts publish")
	restarts := flag.Int("restarts", 20, "how often the siege starts a node whose queue is full")
	journals := flag.Int64("journals", 1<<30, "how many bytes of journals the recover part reads")
	megabytes := flag.Int("megabytes", 1000, "how much data of apps the backup part has")
	only := flag.String("only", "", "measure only the servers whose name contains this, or this part of the siege")
	workerd := flag.String("workerd", "", "the program that the workerd part runs, instead of one that npm fetches")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			log.Fatal(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Printf("%s, %s/%s, %d CPUs, %s\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	node.TuneProcess(0)
	ctx := context.Background()
	for part := range strings.SplitSeq(*which, ",") {
		var err error
		switch part {
		case "fuel":
			err = benchFuel(ctx)
		case "engine":
			err = benchEngine(ctx)
		case "http":
			err = benchHTTP(ctx, *span, *only)
		case "workerd":
			err = benchWorkerd(ctx, *span, *workerd)
		case "signed":
			err = benchSigned(ctx, *span)
		case "journal":
			err = benchJournal(ctx, *span)
		case "recover":
			err = benchRecover(ctx, *journals)
		case "calls":
			err = benchCalls(ctx, *span)
		case "fetch":
			err = benchFetch(ctx)
		case "compile":
			err = benchCompile(ctx)
		case "further":
			err = benchFurther(ctx)
		case "hostile":
			err = benchHostile(ctx)
		case "park":
			err = benchPark(ctx, *apps)
		case "density":
			err = benchDensity(ctx, *apps, *span)
		case "signins":
			err = benchSignIns(ctx, *apps, *span)
		case "backup":
			err = benchBackup(ctx, *megabytes)
		case "usage":
			err = benchUsage(ctx, *apps)
		case "triggers":
			err = benchTriggers(ctx, *span)
		case "siege":
			err = benchSiege(ctx, *span, *only, *apps, *restarts)
		case "stream":
			err = benchStream(ctx)
		case "upload":
			err = benchUpload(ctx)
		default:
			err = fmt.Errorf("there is no part %q", part)
		}
		if err != nil {
			log.Fatalf("%s: %v", part, err)
		}
		debug.FreeOSMemory()
	}
}

func median[T ~int64 | ~float64](all []T) T {
	s := slices.Clone(all)
	slices.Sort(s)
	return s[len(s)/2]
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/agora-host/agora/internal/calm"
)

// maxTypes is how many function types one runtime is given. wazero numbers each distinct type
// of a runtime and never forgets one, about a hundred bytes each, so a node that ran for long
// enough would keep the types of all modules that it ever loaded.
const maxTypes = 200_000

// runtimes are the wazero runtimes that programs run in: the current one, and earlier ones
// that still have programs. All of them share one cache of code.
//
// They also keep two loads of one shell apart. wazero 1.12 publishes a module that it read
// from its file before the module's entry preambles are made (issue 2547 upstream,
// getCompiledModule): whoever finds it there in between instantiates it and panics. The lock
// is by shell, as wazero's own key is the digest of what it reads: one by cacheKey would let
// two modules that differ in custom sections alone, and so have one shell, load together.
type runtimes struct {
	code  wazero.CompilationCache
	watch *calm.Watch
	most  int // types of a generation, maxTypes
	seed  maphash.Seed

	mu      sync.Mutex // guards all below
	current *generation
	earlier map[*generation]bool // that have programs
	loads   map[uint64]*loadLock // of shells that are being read
}

// generation is one runtime with what is counted of it, guarded by runtimes.mu.
type generation struct {
	wazero.Runtime
	types  int             // at most so many distinct ones
	shells map[uint64]bool // whose types are counted
	users  int             // programs
}

// loadLock is held while wazero reads one shell.
type loadLock struct {
	sync.Mutex
	users int // guarded by runtimes.mu
}

func newRuntimes(ctx context.Context, code wazero.CompilationCache, watch *calm.Watch) (*runtimes, error) {
	r := &runtimes{code: code, watch: watch, most: maxTypes, seed: maphash.MakeSeed(), earlier: map[*generation]bool{}, loads: map[uint64]*loadLock{}}
	var err error
	r.current, err = r.begin(ctx)
	return r, err
}

// begin makes a runtime with the host modules.
func (r *runtimes) begin(ctx context.Context) (*generation, error) {
	g := &generation{Runtime: wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(r.code)), shells: map[uint64]bool{}}
	if err := offer(ctx, g.Runtime); err != nil {
		return nil, errors.Join(err, g.Close(ctx))
	}
	return g, nil
}

// load has wazero read a shell with so many function types. The caller owns the compiled
// module, closes it once, and then calls leave.
func (r *runtimes) load(ctx context.Context, shell []byte, types int) (*generation, wazero.CompiledModule, error) {
	key := maphash.Bytes(r.seed, shell) // a collision makes two loads wait for each other, no more
	g, lock, err := r.enter(ctx, key, types)
	if err != nil {
		return nil, nil, err
	}
	var compiled wazero.CompiledModule
	err = r.watch.Do("load of a program", func() (err error) {
		lock.Lock()
		defer lock.Unlock()
		compiled, err = g.CompileModule(ctx, shell)
		return err
	})
	r.loaded(key, lock)
	if err != nil {
		if _, panicked := errors.AsType[*calm.PanicError](err); panicked {
			err = fmt.Errorf("%w: %w", errNode, err)
		}
		return nil, nil, errors.Join(err, r.leave(ctx, g))
	}
	return g, compiled, nil
}

// enter chooses the generation for a program and the lock of its shell.
func (r *runtimes) enter(ctx context.Context, key uint64, types int) (*generation, *loadLock, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.current; !g.shells[key] && g.types > 0 && g.types+types > r.most {
		next, err := r.begin(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errNode, err)
		}
		r.current = next
		if g.users > 0 {
			r.earlier[g] = true
		} else if err := g.Close(ctx); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errNode, err)
		}
	}
	g := r.current
	if !g.shells[key] {
		g.shells[key] = true
		g.types += types
	}
	g.users++
	lock := r.loads[key]
	if lock == nil {
		lock = &loadLock{}
		r.loads[key] = lock
	}
	lock.users++
	return g, lock, nil
}

func (r *runtimes) loaded(key uint64, lock *loadLock) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(r.loads, key)
	}
}

// leave ends a program's use of its generation.
func (r *runtimes) leave(ctx context.Context, g *generation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.users--; g.users > 0 || !r.earlier[g] {
		return nil
	}
	delete(r.earlier, g)
	return g.Close(ctx)
}

// close ends all of them.
func (r *runtimes) close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.current.Close(ctx)
	for g := range r.earlier {
		err = errors.Join(err, g.Close(ctx))
	}
	return err
}

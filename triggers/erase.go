package triggers

import (
	"context"
	"fmt"
	"sync"
)

// Erase forgets everything of an app that calls nothing any more, by Set without triggers: what
// waits for it, its dead letters, and what is remembered of its triggers and of the keys that were
// used. What it published waits for others, and stays. ErrLater while one of its deliveries is
// still in hand; what is erased already is then gone, and it is called again. It returns how many
// deliveries and dead letters there were.
func (d *Dispatcher) Erase(ctx context.Context, app string) (n int, err error) {
	c, err := d.eraser.takeAll(app)
	if err != nil {
		return 0, err
	}
	if len(c.Delete)+len(c.Forget)+len(c.Drop) > 0 {
		if err := d.o.Store.Commit(ctx, c); err != nil {
			return 0, fmt.Errorf("erase what waits for %s: %w", app, err)
		}
	}
	d.eraser.done(app)
	return len(c.Delete), nil
}

// eraser takes apps out of all parts, and remembers what it took until that is erased: a commit
// that fails is made again by the next call.
type eraser struct {
	queue    *queue
	backlog  *backlog
	graves   *graves
	keys     *keys
	statuses *statuses

	mu    sync.Mutex
	taken map[string]Changes // by app
}

// takeAll takes everything of an app out of memory, and returns what its records are.
func (e *eraser) takeAll(app string) (Changes, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	under := fmt.Errorf("a delivery to %s is under way: %w", app, ErrLater)
	if !e.queue.idle(app) || e.graves.dying(app) {
		return Changes{}, under
	}
	used, ok := e.keys.clear(app)
	if !ok {
		return Changes{}, under
	}
	c := e.taken[app]
	c.Forget = append(c.Forget, used...)
	items, unsure := e.queue.clear(app)
	for _, it := range items {
		e.backlog.done(it.from, it.size)
		c.Delete = append(c.Delete, it.seq)
	}
	c.Delete = append(append(c.Delete, unsure...), e.graves.clear(app)...)
	c.Drop = append(c.Drop, e.statuses.forget(app)...)
	e.taken[app] = c
	return c, nil
}

// done forgets what was taken of an app: it is erased.
func (e *eraser) done(app string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.taken, app)
}

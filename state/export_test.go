package state

import "context"

// Page has followers shown so many events at once.
func (fs *Followers) Page(n int) { fs.page = n }

// Lead leads one follower to the present, as Run does in the background.
func (fs *Followers) Lead(ctx context.Context, name string) error {
	for _, f := range fs.all {
		if f.name == name {
			return fs.toPresent(ctx, f)
		}
	}
	panic("no follower " + name)
}

package fuel

import "slices"

// Where charges stand. A segment need not be charged in the segment itself, as
// long as no one can tell: it may leave what it costs to whatever comes after.
//
// Code flows from the end of a segment to the beginnings of others, and all that
// are joined by such an edge lie in one class. A class has a number, what is owed
// there: units that were executed and not yet taken, the same by whichever way
// one comes. Then a segment takes its cost, and what is owed where it begins,
// less what is owed where it ends. Where it is observed nothing may be owed: in
// segments that call or may trap, and where a function begins or returns.
//
// The rest is free, and is chosen so that the most often executed segments take
// nothing: classes are nodes and segments are edges, the edges of a spanning tree
// can all be made zero, and we take a tree of the greatest weight. Ball and Larus
// place the counters of a profile like this ("Optimally profiling and tracing
// programs", TOPLAS 16(4), 1994).

// class is a place in the flow of control.
type class int32

// settled is the class where nothing is owed.
const settled class = 0

// placement is a forest of classes, each with what is owed there beyond what is
// owed at its parent.
type placement struct {
	parent []class
	beyond []int64
	looked []class // where nothing may be owed: they become one with settled when all is known
}

func newPlacement() *placement {
	return &placement{parent: []class{settled}, beyond: []int64{0}}
}

// class makes a new one.
func (p *placement) class() class {
	c := class(len(p.parent))
	p.parent, p.beyond = append(p.parent, c), append(p.beyond, 0)
	return c
}

// find returns the root of a class, and what is owed beyond what is owed there.
func (p *placement) find(c class) (root class, beyond int64) {
	for root = c; p.parent[root] != root; root = p.parent[root] {
		beyond += p.beyond[root]
	}
	for rest := beyond; p.parent[c] != root; { // shorten the way for the next
		next, step := p.parent[c], p.beyond[c]
		p.parent[c], p.beyond[c] = root, rest
		c, rest = next, rest-step
	}
	return root, beyond
}

// join makes that at b more is owed than at a, unless that is decided already.
func (p *placement) join(a, b class, more int64) {
	ra, da := p.find(a)
	rb, db := p.find(b)
	switch {
	case ra == rb:
	case rb == settled: // stays a root
		p.parent[ra], p.beyond[ra] = rb, db-more-da
	default:
		p.parent[rb], p.beyond[rb] = ra, da+more-db
	}
}

// same makes that the same is owed at a and at b: code flows from one to the other.
func (p *placement) same(a, b class) { p.join(a, b, 0) }

// settle makes that nothing is owed at c, because it is observed there.
func (p *placement) settle(c class) { p.looked = append(p.looked, c) }

// owed is what is owed in a class.
func (p *placement) owed(c class) int64 {
	_, beyond := p.find(c)
	return beyond
}

// free is a kind of segment that takes nothing if more is owed at its end by what
// it costs.
type free struct {
	in, out class
	cost    uint64
	exact   bool
}

// place decides what each segment takes, when all that flows is known.
func (p *placement) place(segments []*segment) {
	for _, s := range segments {
		s.enter, _ = p.find(s.in)
		s.leave, _ = p.find(s.out)
	}
	for _, c := range p.looked {
		p.same(settled, c)
	}
	weights := map[free]uint64{}
	var kinds []free // in the order of the text, so that the choice is the same every time
	for _, s := range segments {
		in, _ := p.find(s.in)
		out, _ := p.find(s.out)
		if in == out {
			continue
		}
		kind := free{in, out, s.cost, s.exact}
		if _, ok := weights[kind]; !ok {
			kinds = append(kinds, kind)
		}
		weights[kind] += weight(s)
	}
	slices.SortStableFunc(kinds, func(a, b free) int {
		switch wa, wb := weights[a], weights[b]; {
		case wa > wb:
			return -1
		case wa < wb:
			return 1
		case a.exact == b.exact:
			return 0
		case b.exact:
			return -1
		}
		return 1
	})
	for _, k := range kinds {
		p.join(k.in, k.out, int64(k.cost))
	}
	for _, s := range segments {
		s.owed = p.owed(s.out)
		s.charge = int64(s.cost) + p.owed(s.in) - s.owed
	}
}

// weight guesses how often a segment is executed: eight times for each loop.
func weight(s *segment) uint64 { return 1 << (3 * min(s.loops, 10)) }

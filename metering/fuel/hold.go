package fuel

// Where what is left is read from. The global is written at every charge that
// is not zero, for it must be right when something traps. But a charge that reads
// it back waits until the charge before has gone through memory, some ten cycles.
// In a straight line the compiler knows what it wrote; where ways join it does
// not. There a charge reads a local instead, if all who arrive have set it.

// dense is the most units for each charge where the local is worth a register:
// what is farther apart does not wait for memory.
const dense = 32

// holder decides for each class. The slices are by class.
type holder struct {
	edges []*segment
	known []bool // all who arrive have set the local
	read  []bool // it is of use to who begins here
}

// hold decides which segments read the local and which set it. Classes are those
// of the flow of control, before any was settled.
func (p *plan) hold(classes int) {
	h := holder{edges: p.edges(), known: make([]bool, classes), read: make([]bool, classes)}
	h.know()
	h.want(p.density())
	for _, s := range h.edges {
		s.reads, s.keeps = h.known[s.enter] && h.read[s.enter], h.known[s.leave] && h.read[s.leave]
	}
}

// takes reports whether a segment has to do with what is left at all.
func (s *segment) takes() bool { return s.charge != 0 || s.check }

// know finds the classes where the local is known: all but those that a person
// leads to who does not know it. No one knows it after a call. Who takes nothing
// there may read the global all the same, for the others' sake: they must not be
// fewer.
func (h *holder) know() {
	through := make([][]class, len(h.known)) // ways that take nothing
	balance := make([]int, len(h.known))
	for _, s := range h.edges {
		switch {
		case s.takes():
			balance[s.leave]++
		case s.enter == settled:
			balance[s.leave]--
		}
	}
	for _, s := range h.edges {
		if !s.takes() && (s.enter != settled || balance[s.leave] < 0) {
			through[s.enter] = append(through[s.enter], s.leave)
		}
	}
	for c := range h.known {
		h.known[c] = true
	}
	h.known[settled] = false
	for unknown := []class{settled}; len(unknown) > 0; {
		c := unknown[len(unknown)-1]
		unknown = unknown[:len(unknown)-1]
		for _, next := range through[c] {
			if h.known[next] {
				h.known[next] = false
				unknown = append(unknown, next)
			}
		}
	}
}

// want finds the classes where the local is read: where ways join and a charge
// follows, and what leads there without a charge. Where many would set it for few
// who read it, the module would only grow.
func (h *holder) want(useful func(*segment) bool) {
	through := make([][]class, len(h.read)) // backwards
	arrive, setters, readers := make([]int, len(h.read)), make([]int, len(h.read)), make([]int, len(h.read))
	for _, s := range h.edges {
		arrive[s.leave]++
		if s.takes() {
			setters[s.leave]++
			readers[s.enter]++
		} else {
			through[s.leave] = append(through[s.leave], s.enter)
		}
	}
	var wanted []class
	want := func(c class) {
		if !h.read[c] {
			h.read[c] = true
			wanted = append(wanted, c)
		}
	}
	for _, s := range h.edges {
		if c := s.enter; s.takes() && arrive[c] > 1 && setters[c] <= 2*readers[c] && useful(s) {
			want(c)
		}
	}
	for len(wanted) > 0 {
		c := wanted[len(wanted)-1]
		wanted = wanted[:len(wanted)-1]
		for _, before := range through[c] {
			want(before)
		}
	}
}

// density reports whether a segment is where charges are dense: in its innermost
// loop, or anywhere outside of loops.
func (p *plan) density() func(*segment) bool {
	// For each segment, the units and charges of those before it, by weight.
	units, charges := make([]uint64, len(p.segments)+1), make([]uint64, len(p.segments)+1)
	for i := range p.segments {
		s := &p.segments[i]
		units[i+1], charges[i+1] = units[i]+weight(s)*s.cost, charges[i]
		if s.takes() {
			charges[i+1] += weight(s)
		}
	}
	return func(s *segment) bool {
		if s.loop < 0 {
			return true
		}
		l := &p.loops[s.loop]
		return units[l.to]-units[l.from] < dense*(charges[l.to]-charges[l.from])
	}
}

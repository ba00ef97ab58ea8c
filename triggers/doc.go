// Package triggers owns what calls apps besides requests: the clock, and a
// durable queue of events and webhooks.
//
// All three are one thing, a Delivery: something that has to reach one trigger
// of one app, kept until the app answered with success. A run of a cron trigger
// is a delivery too, stored before it begins; so a crash neither loses it nor
// runs it under another id.
//
// Invariants:
//   - what Publish and Enqueue acknowledged, and each run that began, is durable,
//     and is delivered at least once: what was begun and not finished when the
//     node died is delivered again with the same id;
//   - a run of a cron trigger begins only if none of the same trigger is queued or
//     running; each due time is decided once, also when the clock jumps;
//   - deliveries of one trigger begin in the order in which they were accepted, as
//     many at once as it allows; one that failed waits for its turn aside and holds
//     up no one;
//   - what was taken under a key is not taken again while the key is remembered,
//     also by the next process: the key is durable in the commit of what was queued
//     under it, or before the response of the app that was called;
//   - a delivery that fails for good is kept as a dead letter, up to a bound;
//   - a panic, of a delivery or of the store, is a failed attempt or a failed commit: places,
//     keys, counts and the lock are given back, and the delivery stays in the queue;
//   - what waits costs memory, not goroutines: at most maxRunning deliveries run.
//
// It must not know how an app is called, where things are stored, or what HTTP
// is: deliver and Store are given to it.
//
// A Dispatcher joins parts that each keep one of these: queue decides what runs
// when, attempts make deliveries, clock decides about cron triggers, intake takes
// what is new, backlog counts what an app has caused, graves are the dead letters,
// keys tell what was taken already, statuses are what is remembered of triggers,
// eraser takes an app out of all of them.
//
// A Dispatcher is safe for concurrent use. Each part has a lock of its own; that of
// the queue may be held while another part's is taken, and the eraser's before it.
// No lock is held across a commit or a delivery.
package triggers

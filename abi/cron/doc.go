// Package cron owns the schedules of cron triggers: five fields, read once, and
// the instants they mean in a time zone.
//
// A schedule is about local time, and local time has gaps and repeats:
//
//   - a local time that daylight saving skips runs once, at the first instant
//     after the gap;
//   - a local time that occurs twice runs once, the first time;
//   - a schedule whose hour is "*" does not name local times but a rhythm. It
//     follows the clock through both: every five minutes stays every five minutes.
//
// Day of month and day of week, when both are given, are alternatives, as cron
// has always had it. There is no jitter.
//
// It must not know the clock, nor what runs. A Schedule is immutable.
package cron

// Package crashdisk owns a model of a disk and of what is left on it when the
// power goes. Tests write to it, or play a recorded process on it, and open what
// AfterPowerLoss says what the next process would find.
//
// What a file or a directory has since its last completed sync may be on the disk
// or not. POSIX promises no more ("fsync", IEEE Std 1003.1), and file systems use
// that freedom (Pillai et al., All File Systems Are Not Created Equal, OSDI 2014).
// Where they differ the model takes the harshest that is still plausible:
//
//   - of a file, each page of 4 KiB is what it was after any of the writes since
//     then, in any order of pages, and a page may be torn between sectors of 512
//     bytes; its length is that of any moment since then, and what was not written
//     below it reads as zeros;
//   - of a directory, creations, renames and removals are there up to some moment
//     and lost from it on, as in a journal that is committed in order; but each
//     directory loses by itself, and the sync of a file keeps no name of it. A
//     rename between two directories is there in both or in neither;
//   - a sync that has not ended promises nothing, and one that has covers just
//     the writes that had ended when it began.
//
// Not in the model: a disk that says it wrote and did not (tests may ask for it),
// and bytes that change by themselves.
//
// A Disk is for one goroutine at a time; what AfterPowerLoss returns shares no
// memory that changes, and may be used by another.
package crashdisk

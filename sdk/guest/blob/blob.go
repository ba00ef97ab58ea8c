package blob

import (
	"errors"
	"iter"

	"github.com/agora-host/agora/abi"
)

// Put keeps a blob under a name, in place of what was there. The contents, and the
// request that carries them, are in memory at once. Errors: abi.ErrnoTooLarge for
// contents of more than abi.MaxBlob bytes (keep them as several blobs) or a long
// name; abi.ErrnoQuota if the app's quota is used up. Then nothing was changed.
func Put(name string, contents []byte) error {
	_, err := put(abi.AppendBlobPut(nil, name, contents))
	return err
}

// Get reads a whole blob; ok is false if there is none. Any other error is an
// abi.Errno.
func Get(name string) (contents []byte, ok bool, err error) {
	info, ok, err := Stat(name)
	if !ok || err != nil {
		return nil, false, err
	}
	contents, err = GetRange(name, 0, info.Size)
	if errors.Is(err, abi.ErrnoNotFound) { // deleted in between
		return nil, false, nil
	}
	return contents, err == nil, err
}

// GetRange reads up to length bytes from an offset on: fewer where the blob ends,
// none behind its end. The error is abi.ErrnoNotFound if there is no such blob.
func GetRange(name string, offset, length int64) ([]byte, error) {
	if offset < 0 || length < 0 {
		return nil, abi.ErrnoInvalid
	}
	return get(abi.AppendBlobGet(nil, name, offset, length), int(min(length, abi.MaxBlob)))
}

// Stat tells size, time and SHA-256 of a blob; ok is false if there is none.
func Stat(name string) (info abi.BlobInfo, ok bool, err error) {
	raw, err := stat([]byte(name))
	if errors.Is(err, abi.ErrnoNotFound) {
		return abi.BlobInfo{}, false, nil
	}
	if err != nil {
		return abi.BlobInfo{}, false, err
	}
	if info, ok = abi.DecodeBlobStat(raw); !ok {
		return abi.BlobInfo{}, false, abi.ErrnoInvalid
	}
	info.Name = name
	return info, true, nil
}

// Delete forgets a blob, whether it was there or not.
func Delete(name string) error {
	_, err := remove([]byte(name))
	return err
}

// All walks over the names and sizes of all blobs that start with prefix, in
// order. It ends with an error, if there is one.
func All(prefix string) iter.Seq2[abi.BlobInfo, error] {
	return func(yield func(abi.BlobInfo, error) bool) {
		after := ""
		for {
			raw, err := list(abi.AppendKVScan(nil, prefix, after))
			all, ok := abi.DecodeBlobEntries(raw)
			if err == nil && !ok {
				err = abi.ErrnoInvalid
			}
			if err != nil {
				yield(abi.BlobInfo{}, err)
				return
			}
			for _, info := range all {
				if !yield(info, nil) {
					return
				}
				after = info.Name
			}
			if len(all) < abi.MaxKVList {
				return
			}
		}
	}
}

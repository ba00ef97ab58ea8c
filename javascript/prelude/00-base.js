// define makes a global as browsers have them: it can be replaced, and is not listed.
const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

// The errnos of package abi, negated as native.ask returns them.
const errno = { invalid: -1, absent: -2, denied: -3, quota: -4, large: -5, unavailable: -6, conflict: -8, deadline: -9 };

const said = {
  [errno.invalid]: 'the request is not one that it takes',
  [errno.absent]: 'there is none of that name',
  [errno.denied]: 'not granted',
  [errno.quota]: 'the quota is used up',
  [errno.large]: 'too large',
  [errno.unavailable]: 'unavailable now: try again later',
  [errno.conflict]: 'somebody else changed it meanwhile',
  [errno.deadline]: 'took too long',
};
const codes = { [errno.invalid]: 'invalid', [errno.absent]: 'not-found', [errno.denied]: 'denied', [errno.quota]: 'quota', [errno.large]: 'too-large',
  [errno.unavailable]: 'unavailable', [errno.conflict]: 'conflict', [errno.deadline]: 'deadline' };

// refused makes the error of a capability's refusal. Its code is what programs branch on.
const refused = (capability, what, code, Type = Error) => {
  let text = `${what}: ${said[code] ?? `refused (${code})`}`;
  if (code === errno.denied) text += `. agora.toml has to list it under [capabilities.${capability}], and a reviewer has to grant it`;
  const error = new Type(text);
  error.code = codes[code] ?? 'refused';
  return error;
};

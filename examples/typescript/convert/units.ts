// Units by what they measure, each with its size in the first one's.
export const units: Record<string, Record<string, number>> = {
  length: { m: 1, km: 1000, cm: 0.01, in: 0.0254, ft: 0.3048, mi: 1609.344 },
  mass: { kg: 1, g: 0.001, t: 1000, lb: 0.45359237, oz: 0.028349523125 },
  time: { s: 1, min: 60, h: 3600, d: 86400 },
};

/** The size of both units in the same unit, or undefined if they do not measure the same. */
export function sizes(from: string, to: string): [number, number] | undefined {
  for (const of of Object.values(units)) {
    if (Object.hasOwn(of, from) && Object.hasOwn(of, to)) return [of[from]!, of[to]!];
  }
}

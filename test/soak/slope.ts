/** A straight line through points in time, by least squares, and how sure it is. */
export interface Line {
  /** Of y, for each one of x. */
  readonly slope: number;
  /** The slope's standard error. */
  readonly error: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Needs three points with different x, in their order. */
export function lineThrough(points: readonly Point[]): Line {
  const mean = (of: (point: Point) => number) => sum(points.map(of)) / points.length;
  const [mx, my] = [mean(({ x }) => x), mean(({ y }) => y)];
  const spread = sum(points.map(({ x }) => (x - mx) ** 2));
  const slope = sum(points.map(({ x, y }) => (x - mx) * (y - my))) / spread;
  const left = points.map(({ x, y }) => y - my - slope * (x - mx));
  const error = Math.sqrt(square(left) / (points.length - 2) / spread);
  return { slope, error: error * likeness(left) };
}

/**
 * What memory was a minute ago it mostly still is, so that steps look like a slope, and many minutes tell as little as
 * few. By how much that raises the error: Bartlett's, from how alike neighbours are.
 */
function likeness(left: readonly number[]): number {
  const whole = square(left);
  if (whole === 0) return 1;
  const alike = sum(left.slice(1).map((one, i) => one * (left[i] ?? 0))) / whole;
  const bounded = Math.min(0.9, Math.max(0, alike));
  return Math.sqrt((1 + bounded) / (1 - bounded));
}

function square(values: readonly number[]): number {
  return sum(values.map((value) => value ** 2));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A straight line through points, by least squares, and how sure it is. */
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

/** Needs three points with different x. */
export function lineThrough(points: readonly Point[]): Line {
  const mean = (of: (point: Point) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [mx, my] = [mean(({ x }) => x), mean(({ y }) => y)];
  const sum = (of: (point: Point) => number) => points.reduce((total, point) => total + of(point), 0);
  const spread = sum(({ x }) => (x - mx) ** 2);
  const slope = sum(({ x, y }) => (x - mx) * (y - my)) / spread;
  const left = sum(({ x, y }) => (y - my - slope * (x - mx)) ** 2);
  return { slope, error: Math.sqrt(left / (points.length - 2) / spread) };
}

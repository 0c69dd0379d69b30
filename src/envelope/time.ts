/**
 * Kubernetes times as text. A MicroTime has six digits behind the second and a JavaScript Date three, so the times of an
 * Event never pass through one: they are checked, and kept as they are.
 */

declare const brand: unique symbol;
/** RFC 3339, as metav1.Time reads it. */
export type Time = string & { readonly [brand]: 'Time' };
/** RFC 3339 with exactly six digits behind the second: Go's decoder refuses a metav1.MicroTime of any other form. */
export type MicroTime = Time & { readonly micro: true };

const RFC_3339 =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
const SECONDS_END = 'YYYY-MM-DDThh:mm:ss'.length;

/** The time in `value`, or undefined when there is none. */
export function timeIn(value: unknown): Time | undefined {
  const day = typeof value === 'string' ? RFC_3339.exec(value)?.[1] : undefined;
  return day !== undefined && dayExists(day) ? (value as Time) : undefined;
}

export function microTime(time: Time): MicroTime {
  const zone = time.search(/Z|[+-]\d\d:\d\d$/);
  const fraction = time
    .slice(SECONDS_END + 1, zone)
    .slice(0, 6)
    .padEnd(6, '0');
  return `${time.slice(0, SECONDS_END)}.${fraction}${time.slice(zone)}` as MicroTime;
}

/** Date.parse takes the 30th of February for the 2nd of March, and Go takes it for an error. */
function dayExists(day: string): boolean {
  return Number(day.slice(8)) <= 28 || new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}

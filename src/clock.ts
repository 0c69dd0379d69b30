/** The two clocks, passed to whoever needs one, so that tests can hold them. */
export interface Clock {
  /** Milliseconds since 1970: for what people and consumers read. An operator may set it back or forward. */
  wall(): number;
  /** Milliseconds since some moment, never set: for how long something has lasted, and when it is due. */
  steady(): number;
}

export const systemClock: Clock = { wall: () => Date.now(), steady: () => performance.now() };

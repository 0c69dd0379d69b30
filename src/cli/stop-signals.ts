import { EXIT } from './exit-codes.ts';

export interface StopSignals {
  /** The first SIGTERM or Ctrl-C: finish what is under way. */
  readonly stop: AbortSignal;
  /** The grace is over: drop what is under way. It is sent again by the next start. */
  readonly kill: AbortSignal;
}

/** How long what is under way may take after the first signal, in milliseconds. Kubernetes gives a pod 30 s by default. */
export const GRACE_MS = 10_000;

/**
 * A second signal leaves at once. That loses nothing either: what is delivered but not committed is only sent again, and
 * the journal takes any death.
 */
export function stopSignals(say: (text: string) => void): StopSignals {
  const stop = new AbortController();
  const kill = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    say(`${signal}: finishing what is under way, within ${GRACE_MS / 1000} s; once more leaves at once`);
    stop.abort();
    setTimeout(() => kill.abort(), GRACE_MS).unref();
  };
  // A daemon that the demo has started ends with it, however the demo ends.
  process.once('disconnect', () => process.exit(EXIT.interrupted));
  process.channel?.unref();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { stop: stop.signal, kill: kill.signal };
}

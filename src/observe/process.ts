import { collectDefaultMetrics, Registry } from '@prometheus-io/client';

/**
 * What Prometheus knows every Node program by: memory, handles, CPU, collections, and the event loop's delay since the
 * last scrape. They are counted from the first call on, so one call for a process.
 */
export function processMetrics(): () => Promise<string> {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return () => register.metrics();
}

/** `node main.js --host 0.0.0.0 --port 8001`: the simulated cluster as a program of its own. */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8001' },
    rate: { type: 'string', default: '0' },
    cycle: { type: 'string', default: '30' },
  },
});

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

await simulate(
  { host: values.host, port: Number(values.port), rate: Number(values.rate), cycleSeconds: Number(values.cycle) },
  stop.signal,
  ({ address }) => process.stdout.write(`A simulated Kubernetes API server is at ${address}\n`),
);

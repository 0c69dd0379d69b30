/** What was measured, for people, for other programs, and for BENCHMARKS.md. */
import { cpus, totalmem } from 'node:os';
import type { Measured } from './bench.ts';
import type { Spread } from './spread.ts';

/** One bench's table, in Markdown. */
export function tableOf(measured: readonly Measured[]): string {
  const rows = measured.map(({ what, unit, ours, beside, goal }) => {
    const other = beside && `${number(beside.theirs.median)} ${beside.name}`;
    const ratio = beside && withSpread(beside.ratio);
    const verdict = goal && `${goal.text}: ${goal.reached ? 'reached' : '**not reached**'}`;
    return `| ${what} | ${withSpread(ours)} ${unit} | ${other ?? ''} | ${ratio ?? ''} | ${verdict ?? ''} |`;
  });
  return ['| | kube-fanout | beside it | ratio | goal |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** The median, and in what bounds the rounds were. */
function withSpread({ median, min, max, rounds }: Spread): string {
  return rounds === 1 ? number(median) : `${number(median)} (${number(min)} to ${number(max)})`;
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  return `${cpus().length} × ${first?.model ?? 'a processor'}, ${memory} GiB, Node ${process.versions.node}, ${process.platform}`;
}

/** One object for whoever compares runs; what was not measured is left out. */
export function jsonOf(measured: readonly Measured[]): string {
  const of = (bench: string) => measured.filter((one) => one.bench === bench);
  const medians = (bench: string, unit: string) => {
    const lines = of(bench).filter((one) => one.unit === unit);
    return Object.fromEntries(lines.map(({ what, ours }) => [what, ours.median]));
  };
  const throughputRatio = Object.fromEntries(
    of('throughput')
      .filter(({ what, beside }) => beside !== undefined && !what.includes(','))
      .toReversed()
      .map(({ what, beside }) => [what, beside?.ratio.median]),
  );
  const own = of('cpu').find(({ what }) => what.endsWith('beyond the client'));
  return JSON.stringify({
    throughputRatio,
    ...(own && { ownCpuMicrosPerEvent: own.ours.median }),
    latencyMs: medians('latency', 'ms'),
    rssMiB: medians('memory', 'MiB'),
    machine: machine(),
    measured,
  });
}

const WIDTH = 760;
const LEFT = 200;
const ROW = 22;
const COLOURS = { ours: '#0072b2', theirs: '#8fbfdc' };

/** Events a second to each broker: ours, and below it its own client's. */
export function chartOf(measured: readonly Measured[]): string {
  const bars = measured
    .filter(({ bench, unit }) => bench === 'throughput' && unit === 'Events/s')
    .flatMap(({ what, ours, beside }) => [
      { name: `kube-fanout: ${what}`, value: ours.median, colour: COLOURS.ours },
      ...(beside ? [{ name: beside.name, value: beside.theirs.median, colour: COLOURS.theirs }] : []),
    ])
    .filter(({ name }, at, all) => all.findIndex((one) => one.name === name) === at);
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const rows = bars.map(({ name, value, colour }, at) => {
    const y = 40 + at * ROW;
    const width = ((WIDTH - LEFT - 80) * value) / most;
    return [
      `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${name}</text>`,
      `<rect x="${LEFT}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 7}" fill="${colour}"/>`,
      `<text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 14}">${Math.round(value).toLocaleString('en')}</text>`,
    ].join('');
  });
  const height = 56 + bars.length * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Events a second, of 1.2 KB, kube-fanout beside the brokers' own clients</title>
<style>text{font:12px system-ui,sans-serif;fill:#333}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="24" font-weight="600">Events a second, of 1.2 KB about 500 objects</text>
${rows.join('\n')}
</svg>
`;
}

/** Several quantities over one time, one above the other, as an SVG that needs nothing to be looked at. */

export interface Point {
  /** Seconds from the start. */
  readonly x: number;
  /** NaN breaks the line. */
  readonly y: number;
}

interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
  /** For what spans orders of magnitude; else the axis begins at 0. */
  readonly scale: 'linear' | 'log';
}

/** A row of marks: when something of one kind went on. */
export interface Lane {
  readonly name: string;
  readonly spans: readonly { readonly from: number; readonly to: number }[];
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly seconds: number;
  readonly lanes: readonly Lane[];
  readonly panels: readonly Panel[];
}

const WIDTH = 1_000;
const LEFT = 216;
const RIGHT = 28;
const PLOT = WIDTH - LEFT - RIGHT;
const HEAD = 62;
const LANE = 15;
const PANEL = 96;
const SPACE = 44;
/** Points across; more are drawn as the highest of their neighbours, so that no spike is lost. */
const COLUMNS = 480;
/** Told apart by those who see fewer colours, too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#8fbfdc', '#f0b58a'];

export function svgOf(chart: Chart): string {
  const lanesEnd = HEAD + chart.lanes.length * LANE;
  const tops = chart.panels.map((_, i) => lanesEnd + SPACE + i * (PANEL + SPACE));
  const bottom = (tops.at(-1) ?? lanesEnd) + PANEL;
  const x = (seconds: number) => LEFT + (PLOT * seconds) / chart.seconds;
  const body = [
    `<rect width="100%" height="100%" fill="#fff"/>`,
    text(LEFT, 26, chart.title, 'class="title"'),
    text(LEFT, 45, chart.subtitle, 'class="quiet"'),
    ...timeAxis(chart.seconds, x, HEAD, bottom),
    ...chart.lanes.flatMap((lane, i) => laneOf(lane, HEAD + i * LANE, x)),
    ...chart.panels.flatMap((panel, i) => panelOf(within(panel, chart.seconds), tops[i] ?? 0, x)),
  ];
  const style = [
    'text{font:12px system-ui,sans-serif;fill:#333}',
    '.title{font-size:17px;font-weight:600}',
    '.head{font-weight:600}',
    '.quiet{fill:#666}',
    '.end{text-anchor:end}',
    '.middle{text-anchor:middle}',
    'polyline{fill:none;stroke-width:1.3;stroke-linejoin:round}',
  ].join('');
  const height = bottom + 40;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(`${chart.title}: ${chart.subtitle}`)}</title>
<style>${style}</style>
${body.join('\n')}
</svg>
`;
}

function timeAxis(seconds: number, x: (seconds: number) => number, top: number, bottom: number): string[] {
  const [unit, name] = seconds >= 180 ? [60, 'min'] : [1, 's'];
  return ticks(seconds / unit, 12).flatMap((tick) => [
    line(x(tick * unit), top, x(tick * unit), bottom, '#eee'),
    text(x(tick * unit), bottom + 20, `${tick} ${name}`, 'class="quiet middle"'),
  ]);
}

function laneOf({ name, spans }: Lane, top: number, x: (seconds: number) => number): string[] {
  return [
    text(LEFT - 10, top + 11, name, 'class="end"'),
    line(LEFT, top + LANE / 2, WIDTH - RIGHT, top + LANE / 2, '#eee'),
    ...spans.map(({ from, to }) => {
      const width = Math.max(4, x(to) - x(from));
      return `<rect x="${round(x(from))}" y="${top + 3}" width="${round(width)}" height="${LANE - 6}" rx="2" fill="#c33"/>`;
    }),
  ];
}

function panelOf({ title, series, scale }: Panel, top: number, x: (seconds: number) => number): string[] {
  const values = series.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite);
  const most = Math.max(1, ...values);
  const [least, marks] = scale === 'log' ? decades(values, most) : [0, ticks(most * 1.1, 4)];
  const highest = Math.max(most, marks.at(-1) ?? 0);
  const share = (value: number) =>
    scale === 'log' ? Math.log(Math.max(value, least) / least) / Math.log(highest / least) : value / highest;
  const y = (value: number) => top + PANEL - PANEL * share(value);
  return [
    text(LEFT, top - 9, title, 'class="head"'),
    ...series.map(({ name }, i) => {
      const right = WIDTH - RIGHT - (series.length - 1 - i) * 105;
      return text(right, top - 9, `● ${name}`, `class="end" style="fill:${COLOURS[i]}"`);
    }),
    ...marks.flatMap((mark) => [
      line(LEFT, y(mark), WIDTH - RIGHT, y(mark), '#e4e4e4'),
      text(LEFT - 10, y(mark) + 4, mark.toLocaleString('en'), 'class="quiet end"'),
    ]),
    // The first ones lie on top.
    ...series
      .flatMap(({ points }, i) => pieces(thinned(points)).map((piece) => polyline(piece, { x, y }, COLOURS[i])))
      .toReversed(),
  ];
}

/** What came afterwards has no place. */
function within(panel: Panel, seconds: number): Panel {
  const series = panel.series.map((one) => ({ ...one, points: one.points.filter(({ x }) => x <= seconds) }));
  return { ...panel, series };
}

function polyline(
  points: readonly Point[],
  { x, y }: Record<'x' | 'y', (value: number) => number>,
  colour = '#333',
): string {
  const places = points.map((point) => `${round(x(point.x))},${round(y(point.y))}`);
  return `<polyline points="${places.join(' ')}" stroke="${colour}"/>`;
}

function thinned(points: readonly Point[]): readonly Point[] {
  const each = Math.ceil(points.length / COLUMNS);
  return Array.from({ length: Math.ceil(points.length / each) }, (_, i) => {
    const some = points.slice(i * each, (i + 1) * each);
    const y = some.some((point) => Number.isNaN(point.y)) ? Number.NaN : Math.max(...some.map((point) => point.y));
    return { x: some[0]?.x ?? 0, y };
  });
}

function pieces(points: readonly Point[]): readonly (readonly Point[])[] {
  const found: Point[][] = [[]];
  for (const point of points) {
    if (Number.isNaN(point.y)) found.push([]);
    else found.at(-1)?.push(point);
  }
  return found.filter(({ length }) => length > 1);
}

/** Round numbers from 0 up to `most`, about so many. */
function ticks(most: number, about: number): number[] {
  const raw = most / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= raw) ?? 10);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function decades(values: readonly number[], most: number): [number, number[]] {
  const low = Math.floor(Math.log10(Math.max(0.1, Math.min(...values, most))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
  return [10 ** low, Array.from({ length: high - low + 1 }, (_, i) => Number((10 ** (low + i)).toPrecision(3)))];
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`;
}

function text(x: number, y: number, what: string, more = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${more}>${escaped(what)}</text>`;
}

function escaped(what: string): string {
  return what.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type Scalar,
  visit,
} from 'yaml';
import type { Range } from './diagnostic.ts';
import { rangesOf } from './offsets.ts';

export type Path = readonly (string | number)[];

/** A YAML document as plain values, each of which can still be found in the text. */
export class Tree {
  /** Plain values; what is done to them changes no place. */
  readonly root: unknown;
  readonly #text: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  /** Values that were taken to stand elsewhere: where they are said to be, and where they are. */
  readonly #moved: (readonly [Path, Path])[] = [];

  /** `lines` has counted those of the text. */
  constructor(text: string, document: Document, lines: LineCounter) {
    this.#text = text;
    this.#document = document;
    this.#lines = lines;
    this.root = document.toJS({ maxAliasCount: 100 });
  }

  /** From now on `to` is looked up at `from`. */
  move(from: Path, to: Path): void {
    this.#moved.push([to, from]);
  }

  /** Where the value is written; for one that is not there, the key or the item that it is missing from. */
  rangeOf(path: Path): Range {
    const node = this.#find(path).node;
    if (node?.range && node.range[1] > node.range[0]) return [node.range[0], node.range[1]];
    return path.length === 0 ? [0, 0] : this.rangeOfKey(path);
  }

  /** Where the key is written; of a list item, its first key or its text. */
  rangeOfKey(path: Path): Range {
    const { node, pair } = this.#find(path);
    const key = pair?.key;
    if (isScalar(key) && key.range) return [key.range[0], key.range[1]];
    const first = isMap(node) ? node.items[0]?.key : node;
    if (isScalar(first) && first.range) return [first.range[0], first.range[1]];
    return path.length === 0 ? [0, 0] : this.rangeOfKey(path.slice(0, -1));
  }

  /** A part of a text, in offsets into the text. A text that stands elsewhere, or is none, is meant as a whole. */
  rangeWithin(path: Path, [start, end]: Range, value: string): Range {
    const { node } = this.#find(path);
    if (!isScalar(node) || node.value !== value) return this.rangeOf(path);
    const ranges = rangesOf(node, value, this.#text);
    const first = ranges[Math.min(start, value.length)] ?? [0, 0];
    const last = ranges[Math.min(Math.max(end - 1, start), value.length)] ?? first;
    return [first[0], Math.max(last[1], first[0] + 1)];
  }

  /** In which line each character of a text stands, counted from 1. */
  linesWithin(path: Path, value: string): readonly number[] {
    const { node } = this.#find(path);
    const known = isScalar(node) && node.value === value;
    const ranges = known ? rangesOf(node, value, this.#text) : [];
    let [at] = this.rangeOf(path);
    return Array.from({ length: value.length }, (_, index) => {
      at = ranges[index]?.[0] ?? at;
      return this.#lines.linePos(at).line;
    });
  }

  /** A plain text that is followed by a comment on its line, which may have been meant as a part of it. */
  cutByComment(path: Path): boolean {
    const { node } = this.#find(path);
    return isScalar(node) && node.type === 'PLAIN' && typeof node.comment === 'string';
  }

  /** Where the texts and numbers at and below `path` stand. */
  textsWithin(path: Path): readonly Range[] {
    const ranges: Range[] = [];
    const { node } = this.#find(path);
    const note = (scalar: Scalar) => {
      if (scalar.range) ranges.push([scalar.range[0], scalar.range[1]]);
    };
    if (node !== undefined) visit(node, { Scalar: (key, scalar) => (key === 'key' ? undefined : note(scalar)) });
    return ranges;
  }

  #find(path: Path): { node: Node | undefined; pair: Pair | undefined } {
    const moved = this.#moved.find(([to]) => to.every((part, index) => part === path[index]));
    const real = moved === undefined ? path : [...moved[1], ...path.slice(moved[0].length)];
    let node: unknown = this.#document.contents;
    let pair: Pair | undefined;
    for (const part of real) {
      if (isAlias(node)) node = node.resolve(this.#document);
      pair = undefined;
      if (isMap(node)) {
        pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
        node = pair?.value;
      } else node = isSeq(node) ? node.items[Number(part)] : undefined;
    }
    return { node: isAlias(node) || isMap(node) || isSeq(node) || isScalar(node) ? node : undefined, pair };
  }
}

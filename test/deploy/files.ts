import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

export function textOf(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
}

/** Every document of a YAML file; a warning is an error here. */
export function documentsOf(path: string): unknown[] {
  return parseAllDocuments(textOf(path), { merge: true }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw new Error(`${path}: ${problem.message}`);
    return document.toJS();
  });
}

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Manifest = z.output<typeof Manifest>;

/** All objects of deploy/manifests, in the order in which `kubectl apply -f` takes them. */
export function manifests(): readonly Manifest[] {
  const folder = fileURLToPath(new URL('../../deploy/manifests', import.meta.url));
  return readdirSync(folder)
    .toSorted()
    .flatMap((file) => documentsOf(`deploy/manifests/${file}`))
    .map((document) => Manifest.parse(document));
}

/** The one object of this kind. */
export function manifest<Shape extends z.ZodType>(kind: string, shape: Shape): z.output<Shape> {
  const found = manifests().filter((each) => each.kind === kind);
  if (found.length !== 1) throw new Error(`there are ${found.length} objects of kind ${kind}`);
  return shape.parse(found[0]);
}

import type { RouteName } from '../journal/record.ts';
import { type Inspected, Refusal } from './operation.ts';

/** Refuses a route that the journal does not know: otherwise a slip of the pen would look like good news. */
export async function knownRoute({ journal }: Inspected, name: string): Promise<RouteName> {
  const names = (await journal.routes()).map(({ route }) => route);
  const known = names.find((route) => route === name);
  if (known !== undefined) return known;
  const there = names.length === 0 ? 'there is none yet' : `there are ${names.join(', ')}`;
  throw new Refusal(`the journal has no route ${name}: ${there}`);
}

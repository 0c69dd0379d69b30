/** Shows the faults that it is told, one after the other, with an API server and brokers of its own: see lanes.ts. */
import { FAULTS } from './families/all.ts';
import { type Chance, show } from './show.ts';
import { World } from './world.ts';

const scope = new AsyncDisposableStack();
const world = scope.use(new World());
const gone = Promise.withResolvers<void>();
process.once('disconnect', gone.resolve);
process.on('message', async ({ name, chance }: { name: string; chance: Chance }) => {
  const fault = FAULTS.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`there is no fault ${name}`);
  process.send?.(await show(world, fault, chance));
});
await gone.promise;
// A fault that is half shown when nobody listens any more is not shown to its end.
await scope.disposeAsync();
process.exit();

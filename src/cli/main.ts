#!/usr/bin/env node
/** The door: checks the Node version before anything else is loaded, for what comes next would fail in worse words. */
const oldest = 24;
if (Number.parseInt(process.versions.node, 10) < oldest) {
  console.error(
    `kube-fanout needs Node ${oldest} or newer; this is ${process.versions.node}. From a checkout, npm run finds one.`,
  );
  process.exit(4);
}
const { main } = await import('./program.ts');
process.exitCode = await main(process.argv.slice(2));

export {};

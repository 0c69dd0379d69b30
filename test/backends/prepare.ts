/** Builds and fetches, once and ahead, what the real backends need beyond installed programs: see machine.ts. */
import { kafkaHome } from './kafka-home.ts';
import { goProgram, KUBE_APISERVER, PSTEST, RECORDER, TOXIPROXY } from './machine.ts';

const began = Date.now();

async function say(what: string, done: Promise<unknown>): Promise<void> {
  await done;
  process.stdout.write(`${what}: ready after ${Math.round((Date.now() - began) / 1000)} s\n`);
}

await Promise.all([
  say('Kafka from Maven Central', kafkaHome()),
  say("Google's fake of Pub/Sub", goProgram(PSTEST)),
  say('the real kube-apiserver', process.env.KUBE_APISERVER ? Promise.resolve() : goProgram(KUBE_APISERVER)),
  say("client-go's recorders", goProgram(RECORDER)),
  say('Toxiproxy', goProgram(TOXIPROXY)),
]);

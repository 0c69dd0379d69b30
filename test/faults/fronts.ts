/** What stands between the daemon and the API server, and how a fault gets at it. */
import type { KubeAddress } from '../backends/kube.ts';
import type { ToxicProxy } from '../backends/toxiproxy.ts';
import { metricsAt } from '../main-job/daemon-process.ts';
import { Tap } from '../main-job/tap.ts';
import type { Fault, Front } from './fault.ts';
import type { Scene } from './scene.ts';
import type { World } from './world.ts';

interface FrontedFault<Of extends Front> extends Omit<Fault, 'inject'> {
  inject(scene: Scene, front: Of): Promise<void>;
}

function fronted<Of extends Front>(
  open: (kube: KubeAddress, world: World) => Promise<Of>,
  fault: FrontedFault<Of>,
): Fault {
  let front: Of | undefined;
  return {
    ...fault,
    scene: {
      ...fault.scene,
      async front(kube, world) {
        front = await open(kube, world);
        return front;
      },
    },
    inject(scene) {
      if (front === undefined) throw new Error('the scene has no front');
      return fault.inject(scene, front);
    },
  };
}

/** Behind a tap, which may answer in the API server's place, and change what a watch brings. */
export function tapped(fault: FrontedFault<Tap>): Fault {
  return fronted((kube) => Tap.open(kube), fault);
}

interface NetworkFront extends Front {
  readonly proxy: ToxicProxy;
}

/** Behind a network that can be broken; whoever writes has another. */
export function networked(fault: FrontedFault<NetworkFront>): Fault {
  return fronted(async (kube, world) => {
    const proxy = await (await world.toxiproxy()).before(new URL(kube.server).host);
    const address = { ...kube, server: `https://127.0.0.1:${proxy.port}` };
    return { address, proxy, [Symbol.asyncDispose]: () => proxy.mend() };
  }, fault);
}

/** What the daemon has counted of its stream since its last start. */
export async function counted(scene: Scene, what: 'gaps' | 'audit_found'): Promise<number> {
  const metrics = await metricsAt(scene.metricsPort);
  return Number(new RegExp(`^kube_fanout_stream_${what}_total\\{.*\\} (\\d+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
}

/** For the row of each broker. */
export function note(scene: Scene, text: string): void {
  for (const { name } of scene.brokers) scene.notes.set(name, text);
}

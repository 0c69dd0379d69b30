import type { RejectReason } from '../../src/adapter.ts';
import type { KubeAddress } from '../backends/kube.ts';
import type { TruthRevision } from '../backends/truth.ts';
import type { Broker, BrokerName } from './brokers.ts';
import type { History } from './history.ts';
import type { Scene } from './scene.ts';
import type { World } from './world.ts';

/** Something that goes wrong, and what must hold all the same. */
export interface Fault {
  /** `<family>: <what happens>`, as in the table. */
  readonly name: string;
  /** The brokers that the daemon publishes to meanwhile, a route and a row of the table for each. */
  readonly brokers: readonly BrokerName[];
  /** What the scene looks like; the defaults suit most. */
  readonly scene?: SceneSpec;
  /** Why it cannot be shown on this machine, in words; undefined when it can. */
  unavailable?(): Promise<string | undefined>;
  /** It compares times, so nothing else may run beside it. */
  readonly alone?: true;
  /** Breaks and mends, while Events are written; everything must be whole again when it settles. */
  inject(scene: Scene): Promise<void>;
  /** What must hold beyond the promises: gives all that does not, in words. It may leave notes for the table. */
  judge?(scene: Scene, history: History): Promise<readonly string[]> | readonly string[];
}

/** Stands between the daemon and the API server. */
export interface Front extends AsyncDisposable {
  readonly address: KubeAddress;
  /** See History. */
  readonly presents?: readonly bigint[];
}

interface SceneSpec {
  /** Events written in a second, meanwhile; 0 leaves the writing to the fault. 300 unless given, 150 in the short form. */
  readonly rate?: number;
  /** Revisions that must have been written, or the fault has proven nothing; 500 unless given. */
  readonly atLeast?: number;
  /** The API server has no Event of the faults before: for those whose daemon lists. */
  readonly emptyKube?: boolean;
  /** An API server of its own, for faults that the next one must not find. */
  readonly ownKube?: boolean;
  /** Brokers of its own, for the same reason. */
  readonly ownBrokers?: boolean;
  /** Other ways to start a broker, such as behind a proxy, or to use the shared one; they are the fault's own. */
  readonly start?: Partial<Readonly<Record<BrokerName, (world: World) => Promise<Broker>>>>;
  /** Puts something between the daemon and the API server; whoever writes goes past it. */
  readonly front?: (kube: KubeAddress, world: World) => Promise<Front>;
  /** Which revisions the routes want, where their `when` does not take all. */
  readonly takes?: (revision: TruthRevision) => boolean;
  /** The reason for which a revision must end as a dead letter, or undefined where it must not; none must unless given. */
  readonly dies?: (revision: TruthRevision, broker: BrokerName) => RejectReason | undefined;
  /** Brokers that forget, by this fault, what they have acknowledged. */
  readonly brokersMayLose?: readonly BrokerName[];
  /** The journal lies on a file system of its own, of so many MiB. */
  readonly volumeMiB?: number;
  /** Entries that join or replace those of `journal` in the daemon's config. */
  readonly journal?: object;
  /** Entries that join or replace those of each route. */
  readonly route?: object;
  /** How long everything may take to arrive afterwards, in milliseconds; two minutes unless given. */
  readonly settleMs?: number;
  /** Resident memory that the daemon may take, in MiB; 512 unless given. */
  readonly memoryMiB?: number;
}

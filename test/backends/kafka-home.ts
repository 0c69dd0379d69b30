import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { CACHE, command, exists } from './machine.ts';

/** What every broker starts from. Made once and kept, for it takes longer to make than a broker takes to start. */
export interface KafkaHome {
  readonly classPath: string;
  /** The classes as the JVM wants them; a JVM of another version ignores it. */
  readonly archive: string;
  /** A formatted data directory, to be copied. It knows the user below, by SCRAM-SHA-512. */
  readonly data: string;
}

export const KAFKA_LOGIN = { username: 'fanout', password: 'kafka-password' };
export const JVM = ['-Xms96m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

const POM = join(import.meta.dirname, 'kafka', 'pom.xml');
const CLASS_PATH_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath';

export async function kafkaHome(): Promise<KafkaHome> {
  const hash = createHash('sha256')
    .update(await readFile(POM))
    .update(await readFile(import.meta.filename));
  const directory = join(CACHE, `kafka-${hash.digest('hex').slice(0, 16)}`);
  const known = await read(directory);
  if (known !== undefined) return known;
  const fresh = `${directory}.${process.pid}`;
  await make(fresh);
  await rm(directory, { recursive: true, force: true });
  // Whoever else makes it at the same time may be first, with the same result.
  await rename(fresh, directory).catch(() => rm(fresh, { recursive: true }));
  const made = await read(directory);
  if (made === undefined) throw new Error(`Kafka could not be fetched into ${directory}.`);
  return made;
}

async function read(directory: string): Promise<KafkaHome | undefined> {
  const classPath = await readFile(join(directory, 'classpath'), 'utf8').catch(() => '');
  if (classPath === '' || !(await Promise.all(classPath.split(delimiter).map(exists))).every(Boolean)) return undefined;
  return { classPath, archive: join(directory, 'classes.jsa'), data: join(directory, 'data') };
}

/** Fetches Kafka from Maven Central and formats a data directory, with the JVM noting down which classes it takes. */
async function make(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = (name: string) => join(directory, name);
  const options = [`-Dmdep.outputFile=${file('classpath')}`, '-Dmdep.includeScope=runtime'];
  await command('mvn', ['-q', '-B', '-f', POM, CLASS_PATH_GOAL, ...options]);
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': '1@127.0.0.1:9093',
    'controller.listener.names': 'CONTROLLER',
    listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'log.dirs': file('data'),
  };
  await writeFile(file('server.properties'), propertiesFile(properties));
  const java = [
    '-cp',
    await readFile(file('classpath'), 'utf8'),
    ...JVM,
    `-XX:ArchiveClassesAtExit=${file('classes.jsa')}`,
  ];
  const scram = `SCRAM-SHA-512=[name=${KAFKA_LOGIN.username},password=${KAFKA_LOGIN.password}]`;
  const format = [
    '--config',
    file('server.properties'),
    '--cluster-id',
    'a3ViZS1mYW5vdXQtdGVzdA',
    '--add-scram',
    scram,
  ];
  await command('java', [...java, 'kafka.tools.StorageTool', 'format', ...format]);
}

export function propertiesFile(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

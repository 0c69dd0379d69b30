import type { DestinationRules } from '../src/adapter.ts';
import { percentEncode } from './percent.ts';

/** Everything that is not printable ASCII too: what a server, a permission or a shell makes of it differs. */
const UNSAFE = /[^!-~]|[.*>%]|^\$/gu;

/** The server closes a connection whose control line is longer than 4,096 bytes: the subject, a reply subject, two sizes. */
const MAX_BYTES = 4_000;

/** Subjects: https://docs.nats.io/nats-concepts/subjects */
export const natsSubject: DestinationRules = {
  field: 'subject',

  escape: (value) => percentEncode(value, UNSAFE) || '_',

  refuse(subject) {
    if (subject === '') return 'it is empty';
    if (/[\s\p{Cc}\p{Cs}]/u.test(subject)) return 'it holds white space or a control character';
    const tokens = subject.split('.');
    if (tokens.includes('')) return 'a token between its dots is empty';
    if (tokens.includes('*') || tokens.includes('>'))
      return 'it holds a wildcard (* or >), which only a subscription may';
    if (subject.startsWith('$')) return 'it begins with $, which NATS keeps for itself';
    const bytes = Buffer.byteLength(subject);
    if (bytes > MAX_BYTES) return `it has ${bytes} bytes; NATS takes about ${MAX_BYTES}`;
    return undefined;
  },
};

import { InvalidArgumentError } from 'commander';
import type { ReplayFrom } from '../control/replay.ts';
import { parsePosition, parseResourceVersion, positionOf } from '../envelope/position.ts';
import { pointInTime } from './point-in-time.ts';

const HOW = 'Write oldest, 2h (so long ago), 2026-11-25T19:04:05Z, or an Event’s sequence, resourceVersion or id.';
const ID = /^[0-9a-f-]{36}\.(?<version>[0-9]+)$/;

/** Throws InvalidArgumentError. */
export function replayFrom(text: string, now = Date.now()): ReplayFrom {
  if (text === 'oldest') return { kind: 'oldest' };
  const version = ID.exec(text)?.groups?.version;
  if (version !== undefined) return replayFrom(version);
  if (!/^[0-9]+!?$/.test(text)) {
    if (!/^[0-9]/.test(text)) throw new InvalidArgumentError(HOW);
    return { kind: 'time', at: pointInTime(text, now) };
  }
  const resourceVersion = parseResourceVersion(text);
  const sequence = parsePosition(text);
  const positions = [...(resourceVersion ? [positionOf(resourceVersion)] : []), ...(sequence ? [sequence] : [])];
  if (positions.length > 0) return { kind: 'position', positions };
  throw new InvalidArgumentError(`That is neither a sequence (041234) nor a resourceVersion (1234). ${HOW}`);
}

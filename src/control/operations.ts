import type { z } from 'zod';
import { deadLetters, showDeadLetters } from './dead-letters.ts';
import type { Operation } from './operation.ts';
import { replay } from './replay.ts';
import { dropDeadLetters, replayDeadLetters } from './replay-dead-letters.ts';
import { status } from './status.ts';
import { trace } from './trace.ts';

/** All that can be asked of a journal, through the running daemon or on a stopped one's file. */
const table = { status, trace, replay, deadLetters, showDeadLetters, replayDeadLetters, dropDeadLetters };

export type OperationName = keyof typeof table;
export type Argument<N extends OperationName> = z.output<(typeof table)[N]['argument']>;
export type Item<N extends OperationName> = z.output<(typeof table)[N]['item']>;

export const operations: { readonly [N in OperationName]: Operation<Argument<N>, Item<N>> } = table;

import type { Defect } from '../defect.ts';
import { DELIVERY } from './delivery.ts';
import { JOURNAL } from './journal.ts';
import { SOURCE } from './source.ts';

export const DEFECTS: readonly Defect[] = [...JOURNAL, ...SOURCE, ...DELIVERY];

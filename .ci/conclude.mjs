/**
 * node conclude.mjs <vitest's report> <what the faults printed> <status of it all>
 *
 * Names each test that failed, for what vitest said of it may be far above, and ends with the numbers. What vitest does
 * not count as a failed test, such as an error outside any test or a file that does not type-check, counts as one; so
 * does a stage that ended without its numbers.
 */
import { readFileSync } from 'node:fs';

const [report, faults, status] = process.argv.slice(2);

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const NOTHING = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
const text = read(report);
const tests = text === '' ? NOTHING : JSON.parse(text);
const shown = read(faults).trim().split('\n');
const [, held = 0, broken = 0, away = 0] = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(shown.at(-1)) ?? [];

for (const { name, message, assertionResults } of tests.testResults) {
  const failed = assertionResults.filter((one) => one.status === 'failed');
  for (const { fullName, failureMessages } of failed) {
    console.log(`failed: ${name}: ${fullName}\n${failureMessages.join('\n').slice(0, 1_500)}`);
  }
  if (failed.length === 0 && message) console.log(`failed: ${name}: ${message.slice(0, 1_500)}`);
}
for (const line of shown.filter((one) => one.startsWith('✗ '))) console.log(`failed: ${line.slice(2)}`);

const passed = tests.numPassedTests + Number(held);
const failed = Math.max(tests.numFailedTests + Number(broken), status === '0' ? 0 : 1);
const skipped = tests.numPendingTests + tests.numTodoTests + Number(away);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);

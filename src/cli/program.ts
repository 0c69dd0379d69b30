import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { addDeadLetters } from './dead-letters-command.ts';
import { EXIT, Exit, type ExitCode } from './exit-codes.ts';
import { withJournalOption } from './journal-option.ts';
import { objectName } from './object-name.ts';
import { replayFrom } from './replay-from.ts';
import { stopSignals } from './stop-signals.ts';
import { Terminal } from './terminal.ts';
import { VERSION } from './version.ts';
import { wholeNumber } from './whole-number.ts';

/** Runs one command line; settles with the exit code, having said on standard error what there is to say. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  const terminal = new Terminal();
  let code: ExitCode = EXIT.ok;
  const program = build(terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    // Stopped while it was still starting.
    if (error instanceof Error && error.name === 'AbortError') return EXIT.ok;
    if (!(error instanceof Exit)) throw error;
    terminal.say(error.message, 'fatal');
    return error.code;
  }
}

function build(terminal: Terminal, done: (code: ExitCode) => void): Command {
  const signals = () => stopSignals((text) => terminal.say(text));
  const program = new Command('kube-fanout')
    .description(
      "A Kubernetes cluster's Events as CloudEvents on the broker you already run: Kafka, MQTT, NATS, Pub/Sub.",
    )
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(kube-fanout --help says more)')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', EXAMPLES);

  program
    .command('run')
    .description('watch a cluster and publish its Events, until Ctrl-C')
    .option('-c, --config <file>', 'routing config; without one, MQTT on 127.0.0.1 and this terminal')
    .option('--port <port>', 'where the embedded MQTT broker listens, without a config', portNumber, 1883)
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(LEVELS).default('info'))
    .action(async (options) => {
      const { run } = await import('./run.ts');
      await run({ file: options.config, port: options.port, logLevel: options.logLevel }, terminal, signals());
    });

  program
    .command('validate')
    .description('check routing configs: every mistake at once, each with its line')
    .argument('<file...>', 'YAML files')
    .option('--json', 'one JSON object on standard output')
    .action(async (files: string[], options) => {
      const { validate } = await import('./validate.ts');
      done(await validate(files, { json: options.json === true }));
    });

  program
    .command('demo')
    .description('the whole thing on this machine, with a simulated cluster: nothing to install')
    .option('--for <duration>', 'stop after so long, such as 10s or 2m', seconds)
    .option('--rate <events>', 'so many Events a second, instead of what happens in a cluster now and then', positive)
    .option('--port <port>', 'where the embedded MQTT broker listens', portNumber, 1883)
    .option('--json', 'end with one JSON line that counts what was lost: nothing')
    .action(async (options) => {
      const { demo } = await import('./demo.ts');
      const { for: forSeconds, rate, port, json } = options;
      done(await demo({ forSeconds, rate, port, json: json === true }, terminal, signals()));
    });

  program
    .command('simulate')
    .description('only the simulated cluster: an API server with Events, for integration tests')
    .option('--host <address>', 'the address to listen on', '127.0.0.1')
    .option('--port <port>', 'the port to listen on', portNumber, 8001)
    .option('--rate <events>', 'so many Events a second, instead of one scenario after the other', positive)
    .action(async (options) => {
      const { simulateCluster } = await import('./simulate.ts');
      await simulateCluster(options, terminal, signals().stop);
    });

  withJournalOption(program.command('status'))
    .description('where streams and routes stand, of a running daemon or a stopped one')
    .option('--json', 'one JSON object on standard output')
    .action(async (options) => {
      const { status } = await import('./status.ts');
      done(await status(options));
    });

  withJournalOption(program.command('trace'))
    .description("what became of an object's Events, one by one, on each route: the broker's receipt, or why not")
    .addOption(
      new Option('--for <type/name>', 'the object, as for kubectl: pod/web-0, deploy/api, Deployment.apps/web/api')
        .argParser(objectName)
        .conflicts('id'),
    )
    .option('-n, --namespace <namespace>', 'of the object; all of them unless given')
    .option('--id <id>', "one CloudEvent's id: <uid>.<resourceVersion>")
    .option('--limit <revisions>', 'the newest so many', wholeNumber, 100)
    .option('--json', 'one JSON object a line on standard output')
    .action(async (options) => {
      if (options.for === undefined && options.id === undefined) {
        throw new Exit(EXIT.usage, 'Trace what? Say --for TYPE/NAME or --id ID.');
      }
      const { trace } = await import('./trace.ts');
      done(await trace(options));
    });

  withJournalOption(program.command('replay'))
    .description('send again on one route what the journal still has, marked as a replay')
    .requiredOption('--route <name>', 'the route')
    .addOption(
      new Option(
        '--from <place>',
        'oldest; or a time, or 2h (so long ago); or an Event’s sequence, resourceVersion or id',
      )
        .argParser((text) => replayFrom(text))
        .makeOptionMandatory(),
    )
    .option('--json', 'one JSON object on standard output')
    .action(async (options) => {
      const { replay } = await import('./replay.ts');
      done(await replay(options));
    });

  addDeadLetters(program, done);
  return program;
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

const EXAMPLES = `
Start here:
  kube-fanout demo                      no cluster, no broker, no file
  kube-fanout run                       your kube context, on mqtt://127.0.0.1:1883
  kube-fanout validate routes.yaml      then: kube-fanout run -c routes.yaml
`;

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}

function seconds(text: string): number {
  const [, amount, unit] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const factor = { ms: 0.001, s: 1, m: 60, h: 3600 }[unit ?? ''];
  if (factor === undefined) throw new InvalidArgumentError('Write it as 500ms, 10s, 2m or 1h.');
  return Number(amount) * factor;
}
